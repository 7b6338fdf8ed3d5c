/** Before the first record: how to install an agent. The wall takes this page's place by itself. */

import { useState } from 'react';
import { useTexts } from '../i18n/language';

const TOKEN_COMMAND = 'goldentime-central token create';
/** The agents' port stands beside the page's on the same host unless `agents.listen` says otherwise. */
const agentYaml = (host: string) => `central:
  address: ${host}:7701
  join_token: gt1.…
environment: prod
inputs:
  host: {}
  tail:
    - name: nginx
      paths: [/var/log/nginx/access.log]
      service: storefront
      format:
        type: nginx
        log_format: '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" rt=$request_time msec=$msec'
`;
const START_COMMANDS = `goldentime-agent check
goldentime-agent run`;

/** See the module. */
export function FirstRun({ agents }: { agents: number }) {
  const texts = useTexts();
  const steps = texts.firstRunSteps;
  return (
    <section className="first-run" id="services" tabIndex={-1} data-testid="first-run">
      <h1>{texts.firstRun}</h1>
      <p>{texts.firstRunDetail}</p>
      <ol>
        <Step title={steps.token} detail={steps.tokenDetail} code={TOKEN_COMMAND} />
        <Step title={steps.config} detail={steps.configDetail} code={agentYaml(window.location.hostname)} />
        <Step title={steps.check} detail={steps.checkDetail} code={START_COMMANDS} />
      </ol>
      <p className="first-run-waiting" role="status">
        <span className="waiting-mark" aria-hidden="true" />
        {texts.firstRunWaiting(agents)}
      </p>
    </section>
  );
}

function Step({ title, detail, code }: { title: string; detail: string; code: string }) {
  const texts = useTexts();
  const [copied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard.writeText(code).then(
      () => setCopied(true),
      // Clipboards are closed outside secure contexts; the text can still be selected by hand.
      () => setCopied(false),
    );
  };
  return (
    <li>
      <h2>{title}</h2>
      <p className="quiet">{detail}</p>
      <div className="code">
        <pre tabIndex={0}>{code.trimEnd()}</pre>
        <button type="button" onClick={copy}>
          {copied ? texts.copied : texts.copy}
        </button>
      </div>
    </li>
  );
}
