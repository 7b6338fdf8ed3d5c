/** Types of the development server, for the tests. */
export const ACCOUNT: { name: string; password: string };
export const SETUP_TOKEN: string;
export interface FakeCentral {
  address: string;
  live: string;
  greetings: { type: string; view: string; resume?: { boot: string; seq: number } }[];
  tick(): void;
  fire(): void;
  lose(): void;
  babble(): void;
  cut(): void;
  endSession(): void;
  become(scenario: string): void;
  clients(): number;
  stop(): Promise<void>;
}
export function startFake(options?: {
  name?: string;
  port?: number;
  tickMs?: number | null;
  boot?: string;
  access?: 'open' | 'signed_in' | 'signed_out';
}): Promise<FakeCentral>;
