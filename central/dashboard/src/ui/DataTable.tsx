/** A headed table of figures: one row a thing, one column a property, numbers to the right. */

import type { ReactNode } from 'react';

/** One column. */
export interface Column<Row> {
  head: string;
  cell: (row: Row) => ReactNode;
  /** Set to the right, as figures are. */
  number?: boolean;
  /** Names the row; one column of a table does. */
  names?: boolean;
  /** Said when the pointer rests on a cell. */
  title?: (row: Row) => string;
}

/** See the module. Rows stand in the order given; without any, `empty` stands in their place. */
export function DataTable<Row>(props: {
  title: string;
  detail?: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  empty: string;
  /** What is left out, below the table. */
  more?: string | null;
}) {
  const { title, detail, columns, rows, keyOf, empty, more } = props;
  return (
    <section className="table-box">
      <header>
        <h2>{title}</h2>
        {detail !== undefined && <span className="quiet">{detail}</span>}
      </header>
      {rows.length === 0 ? (
        <p className="quiet">{empty}</p>
      ) : (
        <div className="table-scroll">
          <table>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column.head} scope="col" className={classOf(column)}>
                    {column.head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={keyOf(row)}>
                  {columns.map((column) => (
                    <Cell key={column.head} column={column} row={row} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {more != null && <p className="quiet">{more}</p>}
    </section>
  );
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }) {
  const content = column.cell(row);
  if (column.names) return <th scope="row">{content}</th>;
  return (
    <td className={classOf(column)} title={column.title?.(row)}>
      {content}
    </td>
  );
}

function classOf<Row>(column: Column<Row>): string | undefined {
  return column.number ? 'number' : undefined;
}
