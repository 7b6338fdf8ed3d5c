import { useTexts } from '../i18n/language';

/** The name, which leads home. */
export function Brand() {
  const texts = useTexts();
  return (
    <a className="brand" href="#/" aria-label={`Goldentime, ${texts.home}`}>
      <svg viewBox="0 0 24 16" width="24" height="16" aria-hidden="true">
        <path
          d="M1 10h5l3-8 4 12 3-6h7"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.75"
          strokeLinejoin="round"
        />
      </svg>
      Goldentime
    </a>
  );
}
