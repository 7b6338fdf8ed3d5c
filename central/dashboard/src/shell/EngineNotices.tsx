/** What is degraded in the central itself, what it means, and what still works. */

import { span } from '../format';
import { useTexts } from '../i18n/language';
import type { Freshness } from '../live/freshness';
import type { Wall } from '../live/wall';
import { Notice } from './Notice';

/** See the module. */
export function EngineNotices({ wall, fresh, live }: { wall: Wall; fresh: Freshness; live: boolean }) {
  const texts = useTexts();
  const { not_ready, missing_roles, members = [], rules, channels, stores } = wall.central;
  const windows = stores.find((store) => store.name === 'windows');
  const versions = new Set(members.map((member) => member.version));
  return (
    <>
      {live && fresh.stale && fresh.ageMs !== null && (
        <Notice state="unknown" title={texts.staleTitle(span(fresh.ageMs, texts.units))}>
          {fresh.reason === 'no_agents'
            ? texts.stale.noAgents
            : fresh.reason === 'not_ready'
              ? texts.stale.notReady
              : texts.stale.silent}
        </Notice>
      )}
      {missing_roles.map(({ role }) => (
        <Notice key={role} state="critical" title={texts.roleMissing(role)}>
          {texts.roleMissingDetail[role]}
        </Notice>
      ))}
      {windows && (
        <Notice
          state="warning"
          title={windows.state === 'rebuilding' ? texts.windowsRebuilding : texts.windowsAway}
        >
          {texts.windowsDetail(windows.last_error ?? windows.name)}
        </Notice>
      )}
      {versions.size > 1 && (
        <Notice state="warning" title={texts.versionsDiffer}>
          {texts.versionsDifferDetail(
            members.map(({ name, version }) => `${name} ${version ?? texts.versionUnknown}`).join(', '),
          )}
        </Notice>
      )}
      {not_ready
        .filter((problem) => rules.error === null || problem.code !== 'rules_bad')
        .map((problem) => (
          <Notice key={problem.code} state="warning" title={texts.notReadyTitle(problem.code)}>
            {problem.detail}
          </Notice>
        ))}
      {rules.error !== null && (
        <Notice state="warning" title={rules.loaded === 0 ? texts.noRules : texts.rulesRefused}>
          {rules.error}
        </Notice>
      )}
      {channels
        .filter((channel) => channel.state === 'failing')
        .map((channel) => (
          <Notice key={channel.name} state="warning" title={texts.channelFailing(channel.name)}>
            {texts.channelFailingDetail(channel.last_error ?? channel.type, channel.queued)}{' '}
            {texts.stillWorks}
          </Notice>
        ))}
    </>
  );
}
