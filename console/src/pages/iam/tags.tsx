// Tags: the fields of a form, and the table on the page of a resource.
import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import type { Tag } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { ActionDialog } from '../../frame/parts';
import { ErrorAlert } from '../../frame/error-alert';

export function TagEditor({
  tags,
  set,
  limit = 50,
}: {
  tags: Tag[];
  set: (tags: Tag[]) => void;
  limit?: number;
}) {
  const change = (index: number, part: Partial<Tag>): void =>
    set(tags.map((tag, other) => (other === index ? { ...tag, ...part } : tag)));
  return (
    <AttributeEditor<Tag>
      items={tags}
      empty="No tags"
      addButtonText="Add new tag"
      removeButtonText="Remove"
      disableAddButton={tags.length >= limit}
      additionalInfo={`You can add up to ${String(limit)} tags.`}
      onAddButtonClick={() => set([...tags, { Key: '', Value: '' }])}
      onRemoveButtonClick={({ detail }) =>
        set(tags.filter((_, index) => index !== detail.itemIndex))
      }
      definition={[
        {
          label: 'Key',
          control: ({ Key }, index) => (
            <Input
              value={Key}
              ariaLabel={`Key ${String(index + 1)}`}
              onChange={({ detail }) => change(index, { Key: detail.value })}
            />
          ),
        },
        {
          label: 'Value – optional',
          control: ({ Value }, index) => (
            <Input
              value={Value}
              ariaLabel={`Value ${String(index + 1)}`}
              onChange={({ detail }) => change(index, { Value: detail.value })}
            />
          ),
        },
      ]}
    />
  );
}

/** The tags of a form; rows without a key are left out. */
export const tagsToWrite = (tags: readonly Tag[]): Tag[] => tags.filter(({ Key }) => Key !== '');

/** The table of tags, with the dialog to change them. */
export function Tags(props: {
  tags: readonly Tag[] | undefined;
  error?: unknown;
  tag: (tags: Tag[]) => Promise<unknown>;
  untag: (keys: string[]) => Promise<unknown>;
  onDone: () => void;
}) {
  const { tags } = props;
  const { notifySuccess: done } = useFrame();
  const [edited, setEdited] = useState<Tag[]>();
  const save = async (): Promise<void> => {
    const written = tagsToWrite(edited ?? []);
    const removed = (tags ?? [])
      .map(({ Key }) => Key)
      .filter((key) => !written.some(({ Key }) => Key === key));
    if (removed.length > 0) await props.untag(removed);
    if (written.length > 0) await props.tag(written);
  };
  return (
    <>
      <Table
        header={
          <Header
            counter={`(${String(tags?.length ?? 0)})`}
            actions={
              <Button disabled={!tags} onClick={() => setEdited([...(tags ?? [])])}>
                Manage tags
              </Button>
            }
          >
            Tags
          </Header>
        }
        items={tags ?? []}
        trackBy="Key"
        loading={!tags && !props.error}
        loadingText="Loading"
        empty={
          props.error ? <ErrorAlert error={props.error} /> : <Box textAlign="center">No tags</Box>
        }
        columnDefinitions={[
          { id: 'key', header: 'Key', cell: ({ Key }) => Key, isRowHeader: true },
          { id: 'value', header: 'Value', cell: ({ Value }) => Value },
        ]}
      />
      {edited && (
        <ActionDialog
          size="large"
          title="Manage tags"
          verb="Save changes"
          onDismiss={() => setEdited(undefined)}
          action={save}
          onDone={() => {
            setEdited(undefined);
            props.onDone();
            done('Tags saved');
          }}
        >
          <TagEditor tags={edited} set={setEdited} />
        </ActionDialog>
      )}
    </>
  );
}
