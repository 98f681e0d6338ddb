import { describe, expect, it } from "vitest";
import { type AccessGrant, renewingFetches } from "../../src/matrix/renewing-fetch";
import { ChatError } from "../../src/models/errors";

const AUTHORIZED = { headers: { Authorization: "Bearer whatever the SDK has" } };
const SYNC = "https://hs.test/_matrix/client/v3/sync";

/** A homeserver that knows some tokens, and a bridge that hands out the next one. */
class Rig {
  readonly seen: (string | null)[] = [];
  readonly ended: string[] = [];
  readonly known = new Set(["first"]);
  nowMs = 0;
  renewals = 0;
  renewal: () => Promise<AccessGrant> = () => {
    const accessToken = `token ${this.renewals}`;
    this.known.add(accessToken);
    return Promise.resolve({ accessToken, sessionToken: `bxs ${accessToken}`, expiresInSeconds: 300 });
  };

  readonly fetches = renewingFetches({
    grant: { accessToken: "first", sessionToken: "bxs first", expiresInSeconds: 300 },
    renew: () => {
      this.renewals += 1;
      return this.renewal();
    },
    onEnded: (sentence) => this.ended.push(sentence),
    now: () => this.nowMs,
    fetch: (_input, init) => {
      const token = new Headers(init?.headers).get("Authorization")?.replace("Bearer ", "") ?? null;
      this.seen.push(token);
      const isKnown = token === null || this.known.has(token);
      return Promise.resolve(
        isKnown ? Response.json({}) : Response.json({ errcode: "M_UNKNOWN_TOKEN" }, { status: 401 }),
      );
    },
  });
  readonly fetch = this.fetches.homeserver;
}

describe("renewingFetches", () => {
  it("puts the session's token into requests that carry one, and into no others", async () => {
    const rig = new Rig();
    await rig.fetch(SYNC, AUTHORIZED);
    await rig.fetch("https://hs.test/_matrix/client/versions", {});
    expect(rig.seen).toEqual(["first", null]);
  });

  it("renews a refused token and repeats the request once", async () => {
    const rig = new Rig();
    rig.known.clear();
    const response = await rig.fetch(SYNC, AUTHORIZED);
    expect([response.status, rig.seen]).toEqual([200, ["first", "token 1"]]);
  });

  it("renews once for requests that are refused side by side", async () => {
    const rig = new Rig();
    rig.known.clear();
    const responses = await Promise.all([1, 2, 3].map(() => rig.fetch(SYNC, AUTHORIZED)));
    expect(responses.map((response) => response.status)).toEqual([200, 200, 200]);
    expect(rig.renewals).toBe(1);
  });

  it("renews shortly before the token expires, so that no request is refused", async () => {
    const rig = new Rig();
    rig.nowMs = 254_000;
    await rig.fetch(SYNC, AUTHORIZED);
    rig.nowMs = 255_000;
    await rig.fetch(SYNC, AUTHORIZED);
    await rig.fetch(SYNC, AUTHORIZED);
    expect([rig.seen, rig.renewals]).toEqual([["first", "token 1", "token 1"], 1]);
  });

  it("goes on with a token that is still good when it cannot be renewed yet", async () => {
    const rig = new Rig();
    rig.renewal = () => Promise.reject(new ChatError("away", { isPassing: true }));
    rig.nowMs = 260_000;
    expect((await rig.fetch(SYNC, AUTHORIZED)).status).toBe(200);
    expect(rig.ended).toEqual([]);
  });

  it("fails like a network that is down while bridge or host are away, and recovers", async () => {
    const rig = new Rig();
    const works = rig.renewal;
    rig.known.clear();
    rig.renewal = () => Promise.reject(new ChatError("away", { isPassing: true }));
    await expect(rig.fetch(SYNC, AUTHORIZED)).rejects.toThrow(TypeError);
    rig.renewal = works;
    expect((await rig.fetch(SYNC, AUTHORIZED)).status).toBe(200);
    expect(rig.ended).toEqual([]);
  });

  it("says once why there is no new session, and passes the homeserver's refusal on from then", async () => {
    const rig = new Rig();
    rig.known.clear();
    rig.renewal = () => Promise.reject(new ChatError("You were removed.", { isPassing: false }));
    const statuses = [(await rig.fetch(SYNC, AUTHORIZED)).status, (await rig.fetch(SYNC, AUTHORIZED)).status];
    expect([statuses, rig.ended, rig.renewals]).toEqual([[401, 401], ["You were removed."], 1]);
  });

  it("gives the bridge the session's token and renews both together", async () => {
    const rig = new Rig();
    await expect(rig.fetches.bridge("https://bridge.test/v1/x", AUTHORIZED)).resolves.toBeInstanceOf(
      Response,
    );
    await rig.fetch(SYNC, AUTHORIZED);
    expect([rig.seen, rig.renewals]).toEqual([["bxs first", "bxs token 1", "token 1"], 1]);
  });

  it("leaves other refusals alone", async () => {
    let renewals = 0;
    const { homeserver } = renewingFetches({
      grant: { accessToken: "first", sessionToken: "bxs first", expiresInSeconds: 300 },
      renew: () => {
        renewals += 1;
        return Promise.resolve({ accessToken: "second", sessionToken: "bxs second", expiresInSeconds: 300 });
      },
      onEnded: () => undefined,
      fetch: () => Promise.resolve(Response.json({ errcode: "M_MISSING_TOKEN" }, { status: 401 })),
    });
    const response = await homeserver(SYNC, AUTHORIZED);
    expect([response.status, renewals]).toEqual([401, 0]);
  });
});
