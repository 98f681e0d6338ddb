/** A `fetch` that carries the access token, and has the session opened anew before and when the token runs out. */
import { ChatError } from "../models/errors";
import { isRecord } from "./json";

type Fetch = typeof globalThis.fetch;

/** An access token, and how many seconds it is good for from now on. */
export interface AccessGrant {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
}

export interface RenewingFetchOptions {
  readonly grant: AccessGrant;
  /** Open a session anew; raises ChatError. */
  readonly renew: () => Promise<AccessGrant>;
  /** Told once, when no new session can be had. */
  readonly onEnded: (sentence: string) => void;
  readonly fetch?: Fetch;
  readonly now?: () => number;
}

/** More than one round of the sync's long poll, so that some request always falls into it. */
const RENEW_BEFORE_MS = 45_000;

/**
 * Wrap `fetch` for the SDK: whatever token the SDK put into a request, the newest one goes out.
 *
 * A token is renewed shortly before it expires, and when the homeserver does not know it any more; requests wait for
 * a renewal under way, and one that was refused for its token is repeated once. When no session can be had, the
 * homeserver's own 401 is passed on. When bridge or host cannot be reached, the request fails like any request
 * without a network, and the SDK tries again.
 */
export function renewingFetch(options: RenewingFetchOptions): Fetch {
  const plainFetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const token = new RenewedToken(options);

  return async (input, init) => {
    const headers = new Headers(init?.headers);
    if (!headers.has("Authorization")) return plainFetch(input, init);
    const sendWith = (accessToken: string): Promise<Response> => {
      headers.set("Authorization", `Bearer ${accessToken}`);
      return plainFetch(input, { ...init, headers });
    };
    const used = await token.fresh();
    const response = await sendWith(used);
    if (!(await isUnknownToken(response))) return response;
    const newer = await token.after(used);
    return newer === null ? response : sendWith(newer);
  };
}

class RenewedToken {
  readonly #options: RenewingFetchOptions;
  readonly #now: () => number;
  #accessToken: string;
  #renewAt: number;
  #renewal: Promise<void> | null = null;
  #isEnded = false;

  constructor(options: RenewingFetchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#accessToken = options.grant.accessToken;
    this.#renewAt = this.#renewalTime(options.grant);
  }

  /** Return a token that should be good; while no newer one can be had, the one that there is. */
  async fresh(): Promise<string> {
    if (!this.#isEnded && this.#now() >= this.#renewAt) await this.#renew().catch(() => undefined);
    return this.#accessToken;
  }

  /** Return a token other than `used`, which was refused; null when there will be none. */
  async after(used: string): Promise<string | null> {
    if (!this.#isEnded && used === this.#accessToken) await this.#renew();
    return this.#isEnded ? null : this.#accessToken;
  }

  /** Renew, once for all who wait; raises TypeError, as `fetch` does, while the way to a new session is barred. */
  #renew(): Promise<void> {
    this.#renewal ??= this.#renewNow().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewNow(): Promise<void> {
    try {
      const grant = await this.#options.renew();
      this.#accessToken = grant.accessToken;
      this.#renewAt = this.#renewalTime(grant);
    } catch (error) {
      if (!(error instanceof ChatError) || error.isPassing) {
        throw new TypeError("no new session for the moment", { cause: error });
      }
      this.#isEnded = true;
      this.#options.onEnded(error.message);
    }
  }

  #renewalTime(grant: AccessGrant): number {
    const lastsMs = grant.expiresInSeconds * 1000;
    return this.#now() + lastsMs - Math.min(RENEW_BEFORE_MS, lastsMs / 3);
  }
}

async function isUnknownToken(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  return isRecord(body) && body["errcode"] === "M_UNKNOWN_TOKEN";
}
