// Tags: written in a form, and shown and changed on the page of what has them.
import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import type { Tag } from '../../api/iam';
import { useFrame } from '../../frame/context';
import { Pick } from '../../frame/parts';
import { Problem } from '../../frame/problem';

export function TagEditor({
  tags,
  set,
  limit = 50,
}: {
  tags: Tag[];
  set: (tags: Tag[]) => void;
  limit?: number;
}) {
  const put = (at: number, part: Partial<Tag>): void =>
    set(tags.map((tag, index) => (index === at ? { ...tag, ...part } : tag)));
  return (
    <AttributeEditor<Tag>
      items={tags}
      empty="No tags"
      addButtonText="Add new tag"
      removeButtonText="Remove"
      disableAddButton={tags.length >= limit}
      additionalInfo={`Up to ${String(limit)} tags.`}
      onAddButtonClick={() => set([...tags, { key: '', value: '' }])}
      onRemoveButtonClick={({ detail }) => set(tags.filter((_, at) => at !== detail.itemIndex))}
      definition={[
        {
          label: 'Key',
          control: ({ key }, at) => (
            <Input
              value={key}
              ariaLabel={`Key ${String(at + 1)}`}
              onChange={({ detail }) => put(at, { key: detail.value })}
            />
          ),
        },
        {
          label: 'Value – optional',
          control: ({ value }, at) => (
            <Input
              value={value}
              ariaLabel={`Value ${String(at + 1)}`}
              onChange={({ detail }) => put(at, { value: detail.value })}
            />
          ),
        },
      ]}
    />
  );
}

/** Tags as the service takes them; a row without a key is none. */
export const written = (tags: readonly Tag[]): { Key: string; Value: string }[] =>
  tags.filter(({ key }) => key !== '').map(({ key, value }) => ({ Key: key, Value: value }));

/** The table of tags, and the dialog that changes them. */
export function Tags(props: {
  tags: readonly Tag[] | undefined;
  error?: unknown;
  put: (tags: { Key: string; Value: string }[]) => Promise<unknown>;
  take: (keys: string[]) => Promise<unknown>;
  done: () => void;
}) {
  const { tags } = props;
  const { done } = useFrame();
  const [edited, edit] = useState<Tag[]>();
  const save = async (): Promise<void> => {
    const kept = written(edited ?? []);
    const gone = (tags ?? [])
      .map(({ key }) => key)
      .filter((key) => !kept.some(({ Key }) => Key === key));
    if (gone.length > 0) await props.take(gone);
    if (kept.length > 0) await props.put(kept);
  };
  return (
    <>
      <Table
        header={
          <Header
            counter={`(${String(tags?.length ?? 0)})`}
            actions={
              <Button disabled={!tags} onClick={() => edit([...(tags ?? [])])}>
                Manage tags
              </Button>
            }
          >
            Tags
          </Header>
        }
        items={tags ?? []}
        trackBy="key"
        loading={!tags && !props.error}
        loadingText="Loading"
        empty={
          props.error ? <Problem error={props.error} /> : <Box textAlign="center">No tags</Box>
        }
        columnDefinitions={[
          { id: 'key', header: 'Key', cell: ({ key }) => key, isRowHeader: true },
          { id: 'value', header: 'Value', cell: ({ value }) => value },
        ]}
      />
      {edited && (
        <Pick
          title="Manage tags"
          verb="Save changes"
          dismiss={() => edit(undefined)}
          act={save}
          done={() => {
            edit(undefined);
            props.done();
            done('Tags saved');
          }}
        >
          <TagEditor tags={edited} set={edit} />
        </Pick>
      )}
    </>
  );
}
