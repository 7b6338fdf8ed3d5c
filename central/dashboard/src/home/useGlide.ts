import { useLayoutEffect, useRef, type RefObject } from 'react';

/** Long enough to follow with the eye, short enough not to wait for. */
const GLIDE_MS = 140;

/** Lets the children of `container` that carry `data-glide` slide to where a new `order` puts them. */
export function useGlide(container: RefObject<HTMLElement | null>, order: string): void {
  const before = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    const after = new Map<string, number>();
    for (const row of container.current?.querySelectorAll<HTMLElement>('[data-glide]') ?? []) {
      const id = row.dataset.glide ?? '';
      const top = row.offsetTop;
      const moved = (before.current.get(id) ?? top) - top;
      after.set(id, top);
      if (moved !== 0 && !calm) {
        row.animate([{ transform: `translateY(${moved}px)` }, { transform: 'none' }], {
          duration: GLIDE_MS,
          easing: 'cubic-bezier(.2, 0, 0, 1)',
        });
      }
    }
    before.current = after;
  }, [container, order]);
}
