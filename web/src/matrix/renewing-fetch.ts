/** A `fetch` that carries a session's token, and has the session opened anew before and when the token runs out. */
import { ChatError } from "../models/errors";
import { isRecord } from "./json";

type Fetch = typeof globalThis.fetch;

/** The homeserver's and the bridge's token of a session, and how many seconds they are good for from now on. */
export interface AccessGrant {
  readonly accessToken: string;
  readonly sessionToken: string;
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

export interface RenewingFetches {
  readonly homeserver: Fetch;
  readonly bridge: Fetch;
}

/**
 * Wrap `fetch` for the SDK and for the bridge: whatever token a request carries, the session's newest goes out.
 *
 * A token is renewed shortly before it expires, and when the homeserver does not know it any more; requests wait for
 * a renewal under way, and one that was refused for its token is repeated once. When no session can be had, the
 * homeserver's own 401 is passed on. When bridge or host cannot be reached, the request fails like any request
 * without a network, and the SDK tries again.
 */
export function renewingFetches(options: RenewingFetchOptions): RenewingFetches {
  const plainFetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const grants = new RenewedGrant(options);
  return {
    homeserver: fetchWith(plainFetch, grants, (grant) => grant.accessToken),
    bridge: fetchWith(plainFetch, grants, (grant) => grant.sessionToken),
  };
}

function fetchWith(plainFetch: Fetch, grants: RenewedGrant, tokenOf: (grant: AccessGrant) => string): Fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    if (!headers.has("Authorization")) return plainFetch(input, init);
    const sendWith = (grant: AccessGrant): Promise<Response> => {
      headers.set("Authorization", `Bearer ${tokenOf(grant)}`);
      return plainFetch(input, { ...init, headers });
    };
    const used = await grants.fresh();
    const response = await sendWith(used);
    if (!(await isUnknownToken(response))) return response;
    const newer = await grants.after(used);
    return newer === null ? response : sendWith(newer);
  };
}

class RenewedGrant {
  readonly #options: RenewingFetchOptions;
  readonly #now: () => number;
  #grant: AccessGrant;
  #renewAt: number;
  #renewal: Promise<void> | null = null;
  #isEnded = false;

  constructor(options: RenewingFetchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#grant = options.grant;
    this.#renewAt = this.#renewalTime(options.grant);
  }

  /** Return a grant that should be good; while no newer one can be had, the one that there is. */
  async fresh(): Promise<AccessGrant> {
    if (!this.#isEnded && this.#now() >= this.#renewAt) await this.#renew().catch(() => undefined);
    return this.#grant;
  }

  /** Return a grant other than `used`, which was refused; null when there will be none. */
  async after(used: AccessGrant): Promise<AccessGrant | null> {
    if (!this.#isEnded && used === this.#grant) await this.#renew();
    return this.#isEnded ? null : this.#grant;
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
      this.#grant = grant;
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
