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
import { Fragment, isValidElement, useState, type ReactNode } from 'react';

import { ErrorAlert } from './error-alert';

export interface Column<T> extends TableProps.ColumnDefinition<T> {
  id: string;
  header: string;
  /** The value that is sorted by, and searched if it is a string. Absent: neither. */
  value?: (item: T) => string | number;
  hidden?: boolean;
}

interface ListProps<T extends object> {
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
  onSelect?: (items: T[]) => void;
  filter?: ReactNode;
  variant?: TableProps.Variant;
  isSelectable?: (item: T) => boolean;
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
  const [pageSize, setPageSize] = useState(20);
  const [visibleColumns, setVisibleColumns] = useState(() =>
    columns.filter((column) => !column.hidden).map(({ id }) => id),
  );
  const first = columns[0];
  const searched = columns.filter(({ id }) => visibleColumns.includes(id));
  const emptyState = (text: string, action?: ReactNode) => (
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
      empty: emptyState(props.empty ?? 'No resources to display', props.emptyAction),
      noMatch: emptyState('No matches'),
    },
    pagination: { pageSize },
    sorting: first ? { defaultState: { sortingColumn: sortable(first) } } : {},
    selection: { trackBy: rowId },
  });
  const hasError = error !== undefined && error !== null;
  const selection = props.selection && {
    selectionType: props.selection,
    selectedItems: props.selected ?? [],
    onSelectionChange: ({ detail }: { detail: TableProps.SelectionChangeDetail<T> }) =>
      props.onSelect?.(detail.selectedItems),
    isItemDisabled: (item: T) => props.isSelectable?.(item) === false,
  };
  return (
    <Table<T>
      {...collectionProps}
      {...(selection ?? {})}
      items={hasError ? [] : [...visible]}
      columnDefinitions={columns.map(sortable)}
      columnDisplay={columns.map(({ id }) => ({ id, visible: visibleColumns.includes(id) }))}
      trackBy={rowId}
      variant={variant}
      loading={loading}
      loadingText="Loading"
      stripedRows={false}
      wrapLines
      enableKeyboardNavigation
      ariaLabels={{
        selectionGroupLabel: `Select ${title}`,
        itemSelectionLabel: (_, item) => rowId(item),
        allItemsSelectionLabel: () => 'Select all',
        tableLabel: title,
      }}
      empty={
        hasError ? (
          <ErrorAlert error={error} {...(props.reload ? { retry: props.reload } : {})} />
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
              {withoutFragment(props.actions)}
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
            countText={
              filteredItemsCount === 1 ? '1 match' : `${String(filteredItemsCount)} matches`
            }
          />
          {props.filter}
        </SpaceBetween>
      }
      pagination={<Pagination {...paginationProps} ariaLabels={PAGINATION_LABELS} />}
      preferences={
        <CollectionPreferences
          title="Preferences"
          confirmLabel="Confirm"
          cancelLabel="Cancel"
          preferences={{ pageSize, visibleContent: visibleColumns }}
          pageSizePreference={{
            title: 'Page size',
            options: [10, 20, 50, 100].map((value) => ({ value, label: `${String(value)} rows` })),
          }}
          visibleContentPreference={{
            title: 'Columns',
            options: [
              {
                label: 'Columns',
                options: columns.map(({ id, header }, index) => ({
                  id,
                  label: header,
                  editable: index > 0,
                })),
              },
            ],
          }}
          onConfirm={({ detail }) => {
            setPageSize(detail.pageSize ?? pageSize);
            setVisibleColumns([...(detail.visibleContent ?? visibleColumns)]);
          }}
        />
      }
    />
  );
}

/** The children of a fragment, between which SpaceBetween puts no space otherwise. */
const withoutFragment = (node: ReactNode): ReactNode =>
  isValidElement<{ children?: ReactNode }>(node) && node.type === Fragment
    ? node.props.children
    : node;

const PAGINATION_LABELS = {
  nextPageLabel: 'Next page',
  previousPageLabel: 'Previous page',
  pageLabel: (page: number) => `Page ${String(page)}`,
};

/** The values of columns, computed once: lists of thousands are sorted and searched often. */
const values = new WeakMap<object, WeakMap<object, string | number>>();

function valueOf<T extends object>(value: (item: T) => string | number, item: T): string | number {
  let known = values.get(value);
  if (!known) values.set(value, (known = new WeakMap()));
  let found = known.get(item);
  if (found === undefined) known.set(item, (found = value(item)));
  return found;
}

/** The text of an item that is searched. */
function textOf<T extends object>(columns: readonly Column<T>[], item: T): string {
  const values = columns.map(({ value: by }) => by && valueOf(by, item));
  return values
    .filter((value) => typeof value === 'string')
    .join('\n')
    .toLowerCase();
}

const collator = new Intl.Collator('en');
const comparers = new WeakMap<object, (a: never, b: never) => number>();

/** Columns are compared by what they are sorted by; numbers as numbers. */
function sortable<T extends object>(column: Column<T>): TableProps.ColumnDefinition<T> {
  const { value: by } = column;
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
