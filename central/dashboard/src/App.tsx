/** The frame around every page: bar, notices, the page that the URL names, help. */

import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { useSession, type SessionStore } from './access/session';
import { HomePage } from './home/HomePage';
import { useTexts } from './i18n/language';
import { useFeed, useLink, type Feed } from './live/feed';
import { ConnectionNotice } from './shell/ConnectionNotice';
import { EngineNotices } from './shell/EngineNotices';
import { HelpSheet } from './shell/HelpSheet';
import { TopBar } from './shell/TopBar';
import { useKeys } from './shell/keys';
import { freshness } from './live/freshness';
import { useNow } from './ui/useNow';
import { useRoute } from './url';

const ServicePage = lazy(() => import('./service/ServicePage'));
const SetUpPage = lazy(() => import('./access/SetUpPage'));
const SignInPage = lazy(() => import('./access/SignInPage'));

/** Who is not in sees how to get in, at the same URL; everybody else sees the page that it names. */
export function App({ feed, session }: { feed: Feed; session: SessionStore }) {
  const route = useRoute();
  const who = useSession(session);
  if (route.page === 'setup') {
    return (
      <Suspense fallback={null}>
        <SetUpPage store={session} token={route.token} />
      </Suspense>
    );
  }
  if (who.state === 'signed_out') {
    return (
      <Suspense fallback={null}>
        <SignInPage store={session} hasAccounts={who.hasAccounts} />
      </Suspense>
    );
  }
  return <Inside feed={feed} session={session} />;
}

/** The pages of those who may see them. */
function Inside({ feed, session }: { feed: Feed; session: SessionStore }) {
  const texts = useTexts();
  const route = useRoute();
  const link = useLink(feed);
  const { wall, receivedMs, outdated } = useFeed(feed);
  const [helpOpen, setHelpOpen] = useState(false);
  const filterField = useRef<HTMLInputElement>(null);
  const nowMs = useNow(wall === null ? 1000 : 500);
  const { ageMs, stale, reason } = freshness(wall, receivedMs, nowMs, link);
  // The same object while nothing of it changes, so that the clock alone never redraws a page.
  const fresh = useMemo(() => ({ ageMs, stale, reason }), [ageMs, stale, reason]);

  useKeys({
    filter: () => filterField.current?.focus(),
    help: () => setHelpOpen((open) => !open),
  });

  const critical = wall === null ? 0 : countCritical(wall.services.values());
  useEffect(() => {
    document.title = critical > 0 ? `(${critical}) Goldentime` : 'Goldentime';
  }, [critical]);

  return (
    <div className="app" data-stale={fresh.stale ? '' : undefined}>
      <a className="skip" href="#services">
        {texts.skipToServices}
      </a>
      <TopBar
        wall={wall}
        link={link}
        fresh={fresh}
        filterField={filterField}
        session={session}
        onHelp={() => setHelpOpen(true)}
      />
      <main>
        <ConnectionNotice
          link={link}
          outdated={outdated}
          hasWall={wall !== null}
          nowMs={nowMs}
          onRetry={() => feed.connection.retryNow()}
        />
        {wall !== null && <EngineNotices wall={wall} fresh={fresh} live={link.state === 'live'} />}
        {wall !== null &&
          (route.page === 'service' ? (
            <Suspense fallback={null}>
              <ServicePage key={route.id} id={route.id} wall={wall} />
            </Suspense>
          ) : (
            <HomePage wall={wall} fresh={fresh} />
          ))}
      </main>
      {helpOpen && <HelpSheet onClose={() => setHelpOpen(false)} />}
    </div>
  );
}

function countCritical(services: Iterable<{ state: string }>): number {
  let count = 0;
  for (const service of services) if (service.state === 'critical') count += 1;
  return count;
}
