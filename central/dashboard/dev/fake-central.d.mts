/** Types of the development server, for the tests. */
export interface FakeCentral {
  address: string;
  live: string;
  greetings: { type: string; view: string; resume?: { boot: string; seq: number } }[];
  tick(): void;
  fire(): void;
  lose(): void;
  babble(): void;
  cut(): void;
  become(scenario: string): void;
  clients(): number;
  stop(): Promise<void>;
}
export function startFake(options?: {
  name?: string;
  port?: number;
  tickMs?: number | null;
  boot?: string;
}): Promise<FakeCentral>;
