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
  /** What is searched and sorted by. */
  by: (item: T) => string | number;
  hidden?: boolean;
}

export interface ListProps<T> {
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
  pageSize?: number;
  selectable?: (item: T) => boolean;
  onFilter?: (text: string) => void;
}

export function List<T>(props: ListProps<T>) {
  const {
    title,
    items = [],
    columns,
    rowId,
    loading = false,
    error,
    variant = 'container',
  } = props;
  const [size, setSize] = useState(props.pageSize ?? 20);
  const [shown, setShown] = useState(() =>
    columns.filter((column) => !column.hidden).map(({ id }) => id),
  );
  const first = columns[0];
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
      filteringFunction: (item, text) => {
        const wanted = text.toLowerCase();
        return columns.some((column) => String(column.by(item)).toLowerCase().includes(wanted));
      },
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
            countText={`${String(filteredItemsCount ?? 0)} matches`}
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

const comparers = new WeakMap<object, (a: never, b: never) => number>();

/** Columns are compared by what they are searched by; numbers as numbers. */
function sortable<T>(column: Column<T>): TableProps.ColumnDefinition<T> {
  let compare = comparers.get(column.by) as ((a: T, b: T) => number) | undefined;
  if (!compare) {
    compare = (a, b) => {
      const [x, y] = [column.by(a), column.by(b)];
      return typeof x === 'number' && typeof y === 'number'
        ? x - y
        : String(x).localeCompare(String(y), 'en');
    };
    comparers.set(column.by, compare);
  }
  return { ...column, sortingComparator: compare };
}
