/**
 * All words of the dashboard, in one place: English and Korean are written side by side and not
 * translated word for word. A term is used in the form given here everywhere.
 *
 * 지연 시간 latency · 오류율 error ratio · 처리량 traffic · 포화도 saturation · 오류 예산 error budget ·
 * 소진율 burn rate · 확인 acknowledge · 음소거 silence · 목표 objective · 달성률 compliance
 */

const en = {
  units: { d: 'd', h: 'h', m: 'm', s: 's' },
  seconds: (value: string) => `${value} s`,
  ago: (span: string) => `${span} ago`,

  skipToServices: 'Skip to services',
  home: 'Home',

  state: {
    critical: 'Critical',
    warning: 'Warning',
    unknown: 'Unknown',
    pending: 'Pending',
    no_data: 'No data',
    ok: 'OK',
  },
  stateMeaning: {
    critical: 'A rule that pages is true.',
    warning: 'A rule is true, and nobody is paged for it.',
    unknown: 'Too much is missing to say whether it is good or bad.',
    pending: 'A rule is true, but not yet for as long as it asks.',
    no_data: 'Nothing came in the last five minutes.',
    ok: 'Every rule over it holds.',
  },
  hostRow: 'host',
  notJudged: 'no rules',
  notJudgedMeaning: 'No rule judges this service, so OK means no more than that.',

  signal: {
    latency: 'Latency',
    errors: 'Errors',
    traffic: 'Traffic',
    saturation: 'Saturation',
  },
  signalHint: {
    latency: '95th percentile',
    errors: 'share of requests',
    traffic: 'requests per second',
    saturation: 'fullest resource',
  },
  column: { service: 'Service', slo: 'SLO', hosts: 'Hosts' },
  objectiveOf: (objective: string) => `of ${objective}%`,
  floorOf: (floor: string) => `floor ${floor}`,
  budgetLeft: (share: string) => `budget ${share}`,
  budgetSpent: 'budget spent',
  budgetLeftLong: 'Error budget left in the window',
  strays: (score: number) =>
    `${score > 0 ? '▲' : '▼'} ${Math.abs(score).toFixed(1)}σ ${score > 0 ? 'above' : 'below'} usual`,
  straysMeaning:
    'How many times its usual spread (1.4826 × MAD, at least what chance explains) it lies from the median of the last 10 minutes',
  sloEnds: (ends: string) => `By what was seen. With what is still missing taken as bad or as good: ${ends}`,
  moreSlos: (count: number) => `+${count}`,
  noSlo: 'none',
  servicesTable: 'Services, worst first',
  showingHidden: (count: number) =>
    `${count} more ${count === 1 ? 'service is' : 'services are'} not shown; none is more urgent than the last one here.`,

  allWell: 'All services are well',
  allWellDetail: (services: number, hosts: number, rules: number) =>
    `${services} ${services === 1 ? 'service' : 'services'}, ${hosts === 0 ? '' : `${hosts} ${hosts === 1 ? 'host' : 'hosts'}, `}${rules} ${rules === 1 ? 'rule' : 'rules'} in force, nothing firing.`,
  wasWell: 'Whether all is well is not known now',
  wasWellDetail: (age: string) => `Nothing was firing when the newest data came, ${age} ago.`,
  nothingJudged: 'Services are seen, but nothing judges them',
  nothingJudgedDetail:
    'No rules are loaded. Put OpenSLO files into the folder that slo_dir names; they take effect at once.',
  verdict: {
    critical: (n: number) => `${n} ${n === 1 ? 'service is' : 'services are'} critical`,
    warning: (n: number) => `${n} ${n === 1 ? 'service has a warning' : 'services have a warning'}`,
    unknown: (n: number) => `${n} ${n === 1 ? 'service cannot' : 'services cannot'} be judged`,
    pending: (n: number) => `${n} ${n === 1 ? 'service is' : 'services are'} close to a warning`,
    no_data: (n: number) => `${n} ${n === 1 ? 'service sends' : 'services send'} nothing`,
  },
  since: (time: string) => `since ${time}`,
  statesLabel: 'Show only services in one state',

  filter: 'Filter',
  filterPlaceholder: 'service:order env:prod',
  filterClear: 'Clear filter',
  filterCompletions: 'Completions',
  nothingMatches: 'No service matches this filter',
  nothingMatchesDetail: (total: number) =>
    `${total} ${total === 1 ? 'service is' : 'services are'} there without it.`,

  alerts: 'Last alerts',
  noAlerts: 'No alert yet',
  noAlertsDetail: 'The last ten stand here the moment they fire, with the way they took.',
  alertStatus: { firing: 'Firing', resolved: 'Resolved' },
  alertAnnouncement: (status: string, name: string, service: string) => `${status}: ${name}, ${service}`,
  lasted: (span: string) => `lasted ${span}`,
  goldenTime: 'Golden time',
  goldenTimeMeaning: 'From the end of the request that tipped the rule to the first delivery',
  goldenPromise: 'the promise is 500 ms',
  coarse: 'The log line is stamped in whole seconds, so this is right to within one second.',
  notDelivered: 'not delivered yet',
  stage: {
    occurred: 'Occurred',
    flushed: 'Flushed by the agent',
    received: 'Received',
    merged: 'Merged',
    evaluated: 'Found true',
    dispatched: 'Dispatched',
    delivered: 'Delivered',
  },
  runbook: 'Runbook',

  dataAge: 'Data age',
  dataAgeMeaning: 'How old the newest complete second is',
  percentileError: (share: string) => `Percentiles are right to ±${share}`,
  reading: (time: string) => `Reading ${time}`,
  readingBack: 'Back to live',
  live: 'Live',
  behind: 'Behind',

  connecting: 'Connecting to the central',
  connectingDetail: 'The page comes alive with the first frame.',
  reconnecting: 'Connection to the central lost',
  reconnectingDetail: (since: string, retry: string) => `Since ${since}. What you see is from then. ${retry}`,
  neverConnected: 'The central does not answer',
  neverConnectedDetail: (retry: string) => `Is goldentime-central running on this address? ${retry}`,
  retryIn: (seconds: string) => `Next try in ${seconds}.`,
  retrying: 'Trying now.',
  retryNow: 'Try now',
  outdated: 'The central was upgraded',
  outdatedDetail: 'This page is older than the central. Load it anew to go on.',
  reload: 'Reload',
  stale: {
    noAgents: 'No agent is connected, so nothing new comes in. Look at goldentime-agent on the hosts.',
    silent: 'Agents are connected but send nothing new. Look at their lag with goldentime-agent status.',
    notReady: 'The central is not ready and catches up; what you see is behind.',
  },
  staleTitle: (age: string) => `The newest data is ${age} old`,
  rowStale: (age: string) => `${age} old`,
  degraded: 'Degraded',
  stillWorks: 'Other channels are not held up.',
  noRules: 'No rules are watched: nobody is paged',
  rulesRefused: 'The newest rule files were refused; the rules before them stay in force',
  roleMissing: (role: string) => `No central has the role ${role}`,
  roleMissingDetail: {
    gateway: 'Agents that come by QUIC are let in nowhere and keep what they have.',
    process: 'Nothing is judged, so nobody is paged.',
    notify: 'Alerts are recorded and their pages kept, but nobody sends them.',
    api: 'No other central answers the API.',
  },
  windowsAway: 'Live windows cannot be read',
  windowsRebuilding: 'Live windows are being made again',
  windowsDetail: (why: string) => `${why}${/[.!?]$/.test(why) ? '' : '.'} Pages come as before, from memory.`,
  versionsDiffer: 'Centrals run different versions',
  versionsDifferDetail: (members: string) => `${members}. Finish the upgrade.`,
  versionUnknown: 'unknown version',
  channelFailing: (name: string) => `Channel ${name} does not deliver`,
  channelFailingDetail: (error: string, queued: number) =>
    `${error}${/[.!?]$/.test(error) ? '' : '.'} ${queued} waiting; they are tried again until they go through.`,
  notReadyTitle: (code: string) =>
    ({
      replaying: 'The central replays its log after a restart',
      log_full: 'The log cannot be written',
      rules_bad: 'The rule files were refused',
    })[code] ?? 'The central is not ready',

  firstRun: 'Nothing sends yet',
  firstRunDetail:
    'Install an agent on a host whose requests you want to see. This page comes alive by itself with its first record.',
  firstRunWaiting: (agents: number) =>
    agents === 0
      ? 'Waiting for the first agent'
      : `${agents} ${agents === 1 ? 'agent is' : 'agents are'} connected; waiting for the first record`,
  firstRunSteps: {
    token: 'On the central, make a join token',
    tokenDetail:
      'It is printed this once. It pins this central’s certificate and enrols agents, so treat it as a password.',
    config: 'On the host, save this as /etc/goldentime/agent.yaml',
    configDetail: 'Put the token in, the name of the service, and the log that its requests are written to.',
    check: 'See what the agent would read, then start it',
    checkDetail: 'check reads and ships nothing; it says which files match and how their lines parse.',
  },
  copy: 'Copy',
  copied: 'Copied',

  agents: (connected: number, total: number) => `${connected}/${total} agents`,
  agentsLong: (connected: number, total: number) => `${connected} of ${total} agents connected`,
  rules: (count: number) => `${count} ${count === 1 ? 'rule' : 'rules'}`,

  theme: 'Theme',
  themeName: { system: 'System', dark: 'Dark', light: 'Light' },
  language: 'Language',
  help: 'Keys',
  close: 'Close',
  helpRows: [
    ['j  k', 'next and previous service'],
    ['Enter', 'open the service'],
    ['/', 'filter'],
    ['←  →', 'read one second earlier or later'],
    ['Esc', 'back to live, close, leave'],
    ['h', 'home'],
    ['t', 'dark or light'],
    ['?', 'this sheet'],
  ] as [string, string][],
  helpMarks: 'What the marks mean',

  service: {
    back: 'All services',
    notFound: 'This service is not known here',
    notFoundDetail: 'It may have sent nothing for five minutes, or stand beyond the 500 most urgent.',
    latency: 'Latency',
    percentiles: 'p50, p95, p99',
    errors: 'Error ratio',
    traffic: 'Traffic',
    saturation: 'Saturation',
    hosts: 'Hosts',
    hostsDetail: 'Last 10 s, worst error ratio first',
    host: 'Host',
    noHosts: 'No host served it in the last 10 s.',
    moreHosts: (count: number) => `${count} more`,
    rules: 'SLOs and rules',
    noRules: 'No rule judges this service. Put an OpenSLO file into the folder that slo_dir names.',
    together: (services: readonly string[]) =>
      services.includes('*') ? 'all services together' : `${services.join(' + ')} together`,
    rule: 'Rule',
    state: 'State',
    compliance: 'Compliance',
    objective: 'Objective',
    window: 'Window',
    budget: 'Budget left',
    budgetSpent: 'spent',
    noPointValue: 'no value',
    lastFiveMinutes: 'Last 5 minutes',
  },
  access: {
    signIn: 'Sign in',
    signingIn: 'Signing in',
    signOut: 'Sign out',
    name: 'Name',
    password: 'Password',
    show: 'Show',
    hide: 'Hide',
    showPassword: 'Show the password',
    passwordHint:
      'At least 12 characters; several words that do not belong together are easiest to remember.',
    lost: 'Password lost?',
    lostDetail: 'Whoever runs the central makes a link with which you choose another:',
    noAccounts: 'There is no account yet',
    noAccountsDetail:
      'The central shows a set-up link at its first start. Run this on its machine for another one:',
    setUp: 'Set up your account',
    setUpFor: (name: string) => `Choose a password for ${name}`,
    setUpDo: 'Save and sign in',
    linkUseless: 'This link is of no use any more',
    linkUselessDetail: 'It was used already or has expired. Whoever runs the central makes another one:',
    toSignIn: 'To sign-in',
    again: 'Try again',
    accountOf: (name: string) => `Account: ${name}`,
    openShort: 'No account',
    open: 'Open to this machine',
    openDetail:
      'There is no account yet, so whoever uses this machine sees this page. Make a link to set up the first account; from then on everybody signs in:',
    roleMeaning: {
      viewer: 'Viewer: sees everything, changes nothing.',
      editor: 'Editor: sees everything, changes rules and who is told.',
      admin: 'Admin: sees and changes everything, and decides who may do what.',
    },
    refusal: (code: string, waitS: number | null) => {
      switch (code) {
        case 'wrong_credentials':
          return 'No account has this name and this password.';
        case 'too_many':
          return `Too many attempts. Try again in ${waitS === null || waitS < 90 ? `${waitS ?? 60} s` : `${Math.ceil(waitS / 60)} min`}.`;
        case 'conflict':
          return 'This name is taken; choose another.';
        case 'not_found':
          return 'The link was used already or has expired.';
        case 'invalid_request':
          return 'Choose another name or password: a name has up to 64 characters; a password has at least 12 and is none of those that everybody tries, such as words in a row or your name.';
        case 'origin_not_allowed':
          return 'The browser and the central disagree about this page’s address. Behind a proxy, let it pass the Host header on.';
        case 'unreachable':
          return 'The central does not answer. Try again.';
        default:
          return 'The central could not do it; its log has the cause.';
      }
    },
  },
  fullest: { cpu: 'CPU', memory: 'memory', disk: 'disk', files: 'open files', tasks: 'tasks' } as Record<
    string,
    string
  >,
};

/** Every text that a language must have. */
export type Texts = typeof en;

const ko: Texts = {
  units: { d: '일', h: '시간', m: '분', s: '초' },
  seconds: (value) => `${value}초`,
  ago: (span) => `${span} 전`,

  skipToServices: '서비스 목록으로 건너뛰기',
  home: '홈',

  state: {
    critical: '심각',
    warning: '경고',
    unknown: '판단 불가',
    pending: '대기',
    no_data: '데이터 없음',
    ok: '정상',
  },
  stateMeaning: {
    critical: '호출 대상 규칙이 참입니다.',
    warning: '규칙이 참이지만 아무도 호출하지 않습니다.',
    unknown: '빠진 데이터가 많아 좋은지 나쁜지 말할 수 없습니다.',
    pending: '규칙이 참이지만 정해진 시간만큼 이어지지는 않았습니다.',
    no_data: '최근 5분 동안 들어온 것이 없습니다.',
    ok: '모든 규칙을 지키고 있습니다.',
  },
  hostRow: '호스트',
  notJudged: '규칙 없음',
  notJudgedMeaning: '이 서비스를 판정하는 규칙이 없습니다. 정상은 그 이상의 뜻이 아닙니다.',

  signal: { latency: '지연 시간', errors: '오류율', traffic: '처리량', saturation: '포화도' },
  signalHint: {
    latency: '95번째 백분위',
    errors: '요청 중 비율',
    traffic: '초당 요청',
    saturation: '가장 찬 자원',
  },
  column: { service: '서비스', slo: 'SLO', hosts: '호스트' },
  objectiveOf: (objective) => `목표 ${objective}%`,
  floorOf: (floor) => `하한 ${floor}`,
  budgetLeft: (share) => `예산 ${share}`,
  budgetSpent: '예산 소진',
  budgetLeftLong: '이 창에 남은 오류 예산',
  strays: (score) =>
    `${score > 0 ? '▲' : '▼'} 평소보다 ${Math.abs(score).toFixed(1)}σ ${score > 0 ? '높음' : '낮음'}`,
  straysMeaning:
    '최근 10분 중앙값에서 평소 변동 폭(1.4826 × MAD, 우연으로 설명되는 폭 이상)의 몇 배나 벗어났는지',
  sloEnds: (ends) => `도착한 요청 기준. 아직 오지 않은 요청이 모두 실패하거나 모두 성공하면 ${ends}`,
  moreSlos: (count) => `+${count}`,
  noSlo: '없음',
  servicesTable: '서비스, 나쁜 순',
  showingHidden: (count) => `서비스 ${count}개가 더 있지만 여기 마지막 것보다 급하지 않습니다.`,

  allWell: '모든 서비스가 정상입니다',
  allWellDetail: (services, hosts, rules) =>
    `서비스 ${services}개, ${hosts === 0 ? '' : `호스트 ${hosts}대, `}규칙 ${rules}개, 울리는 알림 없음.`,
  wasWell: '지금 정상인지 알 수 없습니다',
  wasWellDetail: (age) => `마지막 데이터가 온 ${age} 전에는 울리는 알림이 없었습니다.`,
  nothingJudged: '서비스는 보이지만 판정하는 규칙이 없습니다',
  nothingJudgedDetail: 'slo_dir 폴더에 OpenSLO 파일을 넣으면 바로 적용됩니다.',
  verdict: {
    critical: (n) => `서비스 ${n}개가 심각합니다`,
    warning: (n) => `서비스 ${n}개에 경고가 있습니다`,
    unknown: (n) => `서비스 ${n}개를 판단할 수 없습니다`,
    pending: (n) => `서비스 ${n}개가 경고 직전입니다`,
    no_data: (n) => `서비스 ${n}개가 아무것도 보내지 않습니다`,
  },
  since: (time) => `${time}부터`,
  statesLabel: '한 상태의 서비스만 보기',

  filter: '필터',
  filterPlaceholder: 'service:order env:prod',
  filterClear: '필터 지우기',
  filterCompletions: '자동 완성',
  nothingMatches: '필터에 맞는 서비스가 없습니다',
  nothingMatchesDetail: (total) => `필터를 지우면 ${total}개가 보입니다.`,

  alerts: '최근 알림',
  noAlerts: '아직 알림이 없습니다',
  noAlertsDetail: '알림이 울리는 순간 최근 열 개가 지나온 단계와 함께 여기에 뜹니다.',
  alertStatus: { firing: '울림', resolved: '해소' },
  alertAnnouncement: (status, name, service) => `${status}: ${service}, ${name}`,
  lasted: (span) => `${span} 동안`,
  goldenTime: '골든 타임',
  goldenTimeMeaning: '규칙을 넘긴 요청이 끝난 때부터 첫 전달까지',
  goldenPromise: '약속은 500 ms',
  coarse: '로그의 시각이 초 단위라서 1초 안에서만 정확합니다.',
  notDelivered: '아직 전달 전',
  stage: {
    occurred: '발생',
    flushed: '에이전트 전송',
    received: '수신',
    merged: '합산',
    evaluated: '판정',
    dispatched: '발송',
    delivered: '전달',
  },
  runbook: '대응 문서',

  dataAge: '데이터 나이',
  dataAgeMeaning: '가장 새로운 온전한 1초가 지난 시간',
  percentileError: (share) => `백분위 오차 ±${share}`,
  reading: (time) => `${time} 읽는 중`,
  readingBack: '실시간으로',
  live: '실시간',
  behind: '뒤처짐',

  connecting: '센트럴에 연결하는 중',
  connectingDetail: '첫 데이터가 오면 화면이 살아납니다.',
  reconnecting: '센트럴과 연결이 끊겼습니다',
  reconnectingDetail: (since, retry) => `${since}부터이며, 지금 보이는 값은 그때 것입니다. ${retry}`,
  neverConnected: '센트럴이 응답하지 않습니다',
  neverConnectedDetail: (retry) => `이 주소에서 goldentime-central이 돌고 있나요? ${retry}`,
  retryIn: (seconds) => `${seconds} 뒤에 다시 시도합니다.`,
  retrying: '다시 시도하는 중입니다.',
  retryNow: '지금 시도',
  outdated: '센트럴이 새 버전으로 바뀌었습니다',
  outdatedDetail: '이 화면이 더 오래되었습니다. 새로 고쳐야 이어집니다.',
  reload: '새로 고침',
  stale: {
    noAgents: '연결된 에이전트가 없어 새 데이터가 오지 않습니다. 호스트의 goldentime-agent를 확인하세요.',
    silent:
      '에이전트는 연결되어 있지만 새 데이터를 보내지 않습니다. goldentime-agent status로 밀린 양을 확인하세요.',
    notReady: '센트럴이 아직 준비되지 않아 따라잡는 중이며, 보이는 값은 뒤처져 있습니다.',
  },
  staleTitle: (age) => `가장 새로운 데이터가 ${age} 지났습니다`,
  rowStale: (age) => `${age} 지남`,
  degraded: '일부 기능 저하',
  stillWorks: '다른 채널은 늦어지지 않습니다.',
  noRules: '감시 중인 규칙이 없어 아무에게도 알리지 않습니다',
  rulesRefused: '새 규칙 파일이 거부되어 이전 규칙을 그대로 쓰고 있습니다',
  roleMissing: (role) => `${role} 역할을 맡은 센트럴이 없습니다`,
  roleMissingDetail: {
    gateway: 'QUIC으로 오는 에이전트를 받을 곳이 없어, 에이전트가 데이터를 보관하고 있습니다.',
    process: '아무것도 판정되지 않으므로 아무에게도 알리지 않습니다.',
    notify: '알림은 기록되고 전송을 기다리지만, 보내는 센트럴이 없습니다.',
    api: 'API에 답하는 다른 센트럴이 없습니다.',
  },
  windowsAway: '실시간 창을 읽을 수 없습니다',
  windowsRebuilding: '실시간 창을 다시 만들고 있습니다',
  windowsDetail: (why) =>
    `${why}${/[.!?]$/.test(why) ? '' : '.'} 알림은 메모리에서 판정되어 그대로 전달됩니다.`,
  versionsDiffer: '센트럴들의 버전이 서로 다릅니다',
  versionsDifferDetail: (members) => `${members}. 업그레이드를 마치십시오.`,
  versionUnknown: '알 수 없는 버전',
  channelFailing: (name) => `${name} 채널로 전달되지 않습니다`,
  channelFailingDetail: (error, queued) =>
    `${error}${/[.!?]$/.test(error) ? '' : '.'} ${queued}건이 기다리며, 전달될 때까지 다시 시도합니다.`,
  notReadyTitle: (code) =>
    ({
      replaying: '센트럴이 재시작 뒤 로그를 다시 읽고 있습니다',
      log_full: '로그를 쓸 수 없습니다',
      rules_bad: '규칙 파일이 거부되었습니다',
    })[code] ?? '센트럴이 아직 준비되지 않았습니다',

  firstRun: '아직 아무것도 보내지 않습니다',
  firstRunDetail:
    '요청을 보고 싶은 호스트에 에이전트를 설치하세요. 첫 데이터가 오면 화면이 저절로 살아납니다.',
  firstRunWaiting: (agents) =>
    agents === 0 ? '첫 에이전트를 기다리는 중' : `에이전트 ${agents}개 연결됨, 첫 데이터를 기다리는 중`,
  firstRunSteps: {
    token: '센트럴에서 조인 토큰을 만듭니다',
    tokenDetail:
      '한 번만 출력됩니다. 이 센트럴의 인증서를 고정하고 에이전트를 등록하므로 비밀번호처럼 다루세요.',
    config: '호스트에 /etc/goldentime/agent.yaml로 저장합니다',
    configDetail: '토큰과 서비스 이름, 요청이 적히는 로그의 경로를 넣으세요.',
    check: '무엇을 읽을지 확인하고 시작합니다',
    checkDetail: 'check는 아무것도 보내지 않고, 어떤 파일이 맞고 줄이 어떻게 읽히는지만 말합니다.',
  },
  copy: '복사',
  copied: '복사됨',

  agents: (connected, total) => `에이전트 ${connected}/${total}`,
  agentsLong: (connected, total) => `에이전트 ${total}개 중 ${connected}개 연결됨`,
  rules: (count) => `규칙 ${count}`,

  theme: '테마',
  themeName: { system: '시스템', dark: '어둡게', light: '밝게' },
  language: '언어',
  help: '단축키',
  close: '닫기',
  helpRows: [
    ['j  k', '다음, 이전 서비스'],
    ['Enter', '서비스 열기'],
    ['/', '필터'],
    ['←  →', '1초 전, 1초 뒤 읽기'],
    ['Esc', '실시간으로, 닫기, 나가기'],
    ['h', '홈'],
    ['t', '어둡게, 밝게'],
    ['?', '이 안내'],
  ],
  helpMarks: '표시의 뜻',

  service: {
    back: '모든 서비스',
    notFound: '여기서 알지 못하는 서비스입니다',
    notFoundDetail: '5분 동안 아무것도 보내지 않았거나, 가장 급한 500개 밖에 있을 수 있습니다.',
    latency: '지연 시간',
    percentiles: 'p50, p95, p99',
    errors: '오류율',
    traffic: '처리량',
    saturation: '포화도',
    hosts: '호스트',
    hostsDetail: '최근 10초, 오류율이 높은 순',
    host: '호스트',
    noHosts: '최근 10초 동안 처리한 호스트가 없습니다.',
    moreHosts: (count) => `${count}개 더`,
    rules: 'SLO와 규칙',
    noRules: '이 서비스를 판정하는 규칙이 없습니다. slo_dir 폴더에 OpenSLO 파일을 넣으세요.',
    together: (services) => (services.includes('*') ? '모든 서비스 합산' : `${services.join(' + ')} 합산`),
    rule: '규칙',
    state: '상태',
    compliance: '달성률',
    objective: '목표',
    window: '창',
    budget: '남은 예산',
    budgetSpent: '소진',
    noPointValue: '값 없음',
    lastFiveMinutes: '최근 5분',
  },
  access: {
    signIn: '로그인',
    signingIn: '로그인하는 중',
    signOut: '로그아웃',
    name: '이름',
    password: '비밀번호',
    show: '보기',
    hide: '숨기기',
    showPassword: '비밀번호 보기',
    passwordHint: '12자 이상입니다. 서로 관계없는 낱말 몇 개를 이으면 외우기 쉽습니다.',
    lost: '비밀번호를 잊으셨나요?',
    lostDetail: '센트럴 관리자가 아래 명령으로 만든 링크에서 새로 정할 수 있습니다.',
    noAccounts: '아직 계정이 없습니다',
    noAccountsDetail:
      '센트럴은 처음 시작할 때 설정 링크를 보여 줍니다. 다시 필요하면 센트럴이 도는 곳에서 실행하세요.',
    setUp: '계정 만들기',
    setUpFor: (name) => `${name} 계정의 비밀번호 정하기`,
    setUpDo: '저장하고 로그인',
    linkUseless: '더는 쓸 수 없는 링크입니다',
    linkUselessDetail: '이미 썼거나 기한이 지났습니다. 센트럴 관리자가 새 링크를 만들 수 있습니다.',
    toSignIn: '로그인 화면으로',
    again: '다시 시도',
    accountOf: (name) => `계정: ${name}`,
    openShort: '계정 없음',
    open: '이 컴퓨터에 열려 있음',
    openDetail:
      '아직 계정이 없어 이 컴퓨터를 쓰는 사람은 누구나 이 화면을 봅니다. 링크를 만들어 첫 계정을 정하면 그때부터 모두 로그인해야 합니다.',
    roleMeaning: {
      viewer: '보기: 모두 볼 수 있고 아무것도 바꿀 수 없습니다.',
      editor: '편집: 모두 보고, 규칙과 알림 대상을 바꿀 수 있습니다.',
      admin: '관리: 모두 보고 바꾸며, 누가 무엇을 할 수 있는지도 정합니다.',
    },
    refusal: (code, waitS) => {
      switch (code) {
        case 'wrong_credentials':
          return '이름이나 비밀번호가 맞지 않습니다.';
        case 'too_many':
          return `너무 여러 번 시도했습니다. ${waitS === null || waitS < 90 ? `${waitS ?? 60}초` : `${Math.ceil(waitS / 60)}분`} 뒤에 다시 시도하세요.`;
        case 'conflict':
          return '이미 쓰는 이름입니다. 다른 이름을 고르세요.';
        case 'not_found':
          return '이미 썼거나 기한이 지난 링크입니다.';
        case 'invalid_request':
          return '다른 이름이나 비밀번호를 고르세요. 이름은 64자까지, 비밀번호는 12자 이상이며 이어진 글자나 이름처럼 누구나 먼저 해 보는 것은 쓸 수 없습니다.';
        case 'origin_not_allowed':
          return '브라우저와 센트럴이 아는 주소가 다릅니다. 프록시 뒤라면 Host 헤더를 그대로 넘기게 하세요.';
        case 'unreachable':
          return '센트럴이 응답하지 않습니다. 다시 시도하세요.';
        default:
          return '센트럴이 처리하지 못했습니다. 원인은 센트럴 로그에 있습니다.';
      }
    },
  },
  fullest: { cpu: 'CPU', memory: '메모리', disk: '디스크', files: '열린 파일', tasks: '태스크' },
};

/** Languages by their code. */
export const LANGUAGES = { en, ko } as const;
/** Code of a language. */
export type Language = keyof typeof LANGUAGES;
/** How each language calls itself. */
export const LANGUAGE_NAMES: Record<Language, string> = { en: 'English', ko: '한국어' };
