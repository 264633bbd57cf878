// A table with search, sorting, pages and preferences, the same on every page.
import { useCollection } from '@cloudscape-design/collection-hooks';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import CollectionPreferences from '@cloudscape-design/components/collection-preferences';
import Header from '@cloudscape-design/components/header';
import Pagination from '@cloudscape-design/components/pagination';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table, { type TableProps } from '@cloudscape-design/components/table';
import TextFilter from '@cloudscape-design/components/text-filter';
import { useState, type ReactNode } from 'react';

import { Problem } from './problem';

export interface Column<T> extends TableProps.ColumnDefinition<T> {
  id: string;
  header: string;
  /** What is sorted by, and searched if it is a text. Absent: neither. */
  by?: (item: T) => string | number;
  hidden?: boolean;
}

export interface ListProps<T extends object> {
  title: string;
  description?: ReactNode;
  items: readonly T[] | undefined;
  columns: Column<T>[];
  rowId: (item: T) => string;
  loading?: boolean;
  error?: unknown;
  reload?: () => void;
  actions?: ReactNode;
  empty?: string;
  emptyAction?: ReactNode;
  search?: string;
  selection?: 'single' | 'multi';
  selected?: T[];
  select?: (items: T[]) => void;
  filter?: ReactNode;
  variant?: TableProps.Variant;
  selectable?: (item: T) => boolean;
}

export function List<T extends object>(props: ListProps<T>) {
  const {
    title,
    items = [],
    columns,
    rowId,
    loading = false,
    error,
    variant = 'container',
  } = props;
  const [size, setSize] = useState(20);
  const [shown, setShown] = useState(() =>
    columns.filter((column) => !column.hidden).map(({ id }) => id),
  );
  const first = columns[0];
  const searched = columns.filter(({ id }) => shown.includes(id));
  const nothing = (text: string, action?: ReactNode) => (
    <Box textAlign="center" color="inherit" padding="s">
      <SpaceBetween size="s">
        <b>{text}</b>
        {action}
      </SpaceBetween>
    </Box>
  );
  const {
    items: visible,
    collectionProps,
    filterProps,
    filteredItemsCount,
    paginationProps,
  } = useCollection<T>(items, {
    filtering: {
      filteringFunction: (item, text) => textOf(searched, item).includes(text.trim().toLowerCase()),
      empty: nothing(props.empty ?? 'No resources to display', props.emptyAction),
      noMatch: nothing('No matches'),
    },
    pagination: { pageSize: size },
    sorting: first ? { defaultState: { sortingColumn: sortable(first) } } : {},
    selection: { trackBy: rowId },
  });
  const failed = error !== undefined && error !== null;
  const chosen = props.selected ?? [];
  const selection = props.selection && {
    selectionType: props.selection,
    selectedItems: chosen,
    onSelectionChange: ({ detail }: { detail: TableProps.SelectionChangeDetail<T> }) =>
      props.select?.(detail.selectedItems),
    isItemDisabled: (item: T) => props.selectable?.(item) === false,
  };
  return (
    <Table<T>
      {...collectionProps}
      {...(selection ?? {})}
      items={failed ? [] : [...visible]}
      columnDefinitions={columns.map(sortable)}
      columnDisplay={columns.map(({ id }) => ({ id, visible: shown.includes(id) }))}
      trackBy={rowId}
      variant={variant}
      loading={loading}
      loadingText="Loading"
      stripedRows={false}
      wrapLines
      enableKeyboardNavigation
      ariaLabels={{
        selectionGroupLabel: `Choose of ${title}`,
        itemSelectionLabel: (_, item) => rowId(item),
        allItemsSelectionLabel: () => 'Choose all',
        tableLabel: title,
      }}
      empty={
        failed ? (
          <Problem error={error} {...(props.reload ? { retry: props.reload } : {})} />
        ) : (
          collectionProps.empty
        )
      }
      header={
        <Header
          counter={props.items && `(${String(items.length)})`}
          {...(props.description ? { description: props.description } : {})}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              {props.reload && (
                <Button iconName="refresh" ariaLabel={`Refresh ${title}`} onClick={props.reload} />
              )}
              {props.actions}
            </SpaceBetween>
          }
        >
          {title}
        </Header>
      }
      filter={
        <SpaceBetween direction="horizontal" size="xs">
          <TextFilter
            {...filterProps}
            filteringPlaceholder={props.search ?? 'Search'}
            filteringAriaLabel={`Search ${title}`}
            countText={filteredItemsCount === 1 ? '1 match' : `${String(filteredItemsCount)} matches`}
          />
          {props.filter}
        </SpaceBetween>
      }
      pagination={<Pagination {...paginationProps} ariaLabels={PAGES} />}
      preferences={
        <CollectionPreferences
          title="Preferences"
          confirmLabel="Confirm"
          cancelLabel="Cancel"
          preferences={{ pageSize: size, visibleContent: shown }}
          pageSizePreference={{
            title: 'Page size',
            options: [10, 20, 50, 100].map((value) => ({ value, label: `${String(value)} rows` })),
          }}
          visibleContentPreference={{
            title: 'Columns',
            options: [
              {
                label: 'Columns',
                options: columns.map(({ id, header }, at) => ({
                  id,
                  label: header,
                  editable: at > 0,
                })),
              },
            ],
          }}
          onConfirm={({ detail }) => {
            setSize(detail.pageSize ?? size);
            setShown([...(detail.visibleContent ?? shown)]);
          }}
        />
      }
    />
  );
}

const PAGES = {
  nextPageLabel: 'Next page',
  previousPageLabel: 'Previous page',
  pageLabel: (page: number) => `Page ${String(page)}`,
};

/** What a column says of an item, told once: a list of thousands is sorted and searched often. */
const told = new WeakMap<object, WeakMap<object, string | number>>();

function valueOf<T extends object>(by: (item: T) => string | number, item: T): string | number {
  let known = told.get(by);
  if (!known) told.set(by, (known = new WeakMap()));
  let value = known.get(item);
  if (value === undefined) known.set(item, (value = by(item)));
  return value;
}

/** What an item is searched by. */
function textOf<T extends object>(columns: readonly Column<T>[], item: T): string {
  const values = columns.map(({ by }) => by && valueOf(by, item));
  return values
    .filter((value) => typeof value === 'string')
    .join('\n')
    .toLowerCase();
}

const collator = new Intl.Collator('en');
const comparers = new WeakMap<object, (a: never, b: never) => number>();

/** Columns are compared by what they are sorted by; numbers as numbers. */
function sortable<T extends object>(column: Column<T>): TableProps.ColumnDefinition<T> {
  const { by } = column;
  if (!by) return column;
  let compare = comparers.get(by) as ((a: T, b: T) => number) | undefined;
  if (!compare) {
    compare = (a, b) => {
      const [x, y] = [valueOf(by, a), valueOf(by, b)];
      return typeof x === 'number' && typeof y === 'number'
        ? x - y
        : collator.compare(String(x), String(y));
    };
    comparers.set(by, compare);
  }
  return { ...column, sortingComparator: compare };
}
