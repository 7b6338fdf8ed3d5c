import type { Figure } from '../format';

/** A number set so that a column of them aligns by the decimal, its unit lighter beside it. */
export function FigureText({ figure, title }: { figure: Figure; title?: string }) {
  return (
    <span className="figure" title={title}>
      <span className="figure-whole">{figure.whole}</span>
      <span className="figure-fraction">{figure.fraction}</span>
      <span className="figure-unit">{figure.unit}</span>
    </span>
  );
}
