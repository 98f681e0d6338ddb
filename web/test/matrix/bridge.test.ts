import { describe, expect, it } from "vitest";
import { HttpBridge } from "../../src/matrix/bridge";
import { ChatError } from "../../src/models/errors";

interface Asked {
  readonly call: string;
  readonly body: unknown;
  readonly authorization: string | null;
}

/** A bridge of the HTTP kind that gives one answer, and what it was asked. */
function answering(answer: unknown, status = 200): { bridge: HttpBridge; asked: Asked[] } {
  const asked: Asked[] = [];
  const bridge = new HttpBridge("https://bridge.test", (input, init) => {
    const body = init?.body;
    asked.push({
      call: `${init?.method ?? ""} ${input instanceof Request ? input.url : input.toString()}`,
      body: typeof body === "string" ? (JSON.parse(body) as unknown) : null,
      authorization: new Headers(init?.headers).get("Authorization"),
    });
    const isText = typeof answer === "string";
    return Promise.resolve(isText ? new Response(answer, { status }) : Response.json(answer, { status }));
  });
  return { bridge, asked };
}

const TICKET = {
  ticket_id: "t1",
  number: 3,
  subject: "Door",
  status: "waiting",
  audience: "bitnexus",
  opener: "anna",
  assignee: null,
  room_key: "ticket_t1",
  room_id: null,
  satisfaction: 4,
};

describe("HttpBridge", () => {
  it("asks for people by query, and leaves out those it cannot read", async () => {
    const item = {
      user_id: "ben",
      matrix_id: "@b:test",
      display_name: "Ben",
      avatar_url: "mxc://x/y",
      role: "guest",
    };
    const { bridge, asked } = answering({ items: [item, { user_id: "x" }, null], next: null });
    const found = await bridge.searchPeople("acme", "b & c");
    expect(found).toEqual([
      { userId: "ben", matrixId: "@b:test", name: "Ben", avatarUrl: "mxc://x/y", role: "guest" },
    ]);
    expect(asked).toEqual([
      {
        call: "GET https://bridge.test/v1/tenants/acme/people?q=b+%26+c&limit=20",
        body: null,
        authorization: "Bearer",
      },
    ]);
  });

  it("asks for a direct chat and for a ticket, whose rooms have a key", async () => {
    const { bridge, asked } = answering({ key: "dm_1", room_key: "ticket_t1", room_id: null });
    expect(await bridge.openDirectChat("acme", "ben")).toEqual({ tenantId: "acme", key: "dm_1" });
    const wish = { subject: "Door", body: "text", audience: "team" } as const;
    expect(await bridge.openTicket("acme", wish)).toEqual({ tenantId: "acme", key: "ticket_t1" });
    expect(asked.map(({ call, body }) => [call, body])).toEqual([
      ["POST https://bridge.test/v1/tenants/acme/dms", { user_id: "ben" }],
      ["POST https://bridge.test/v1/tenants/acme/tickets", wish],
    ]);
  });

  it("reads tickets, whether people are named by an id or by an object", async () => {
    const items = [TICKET, { ...TICKET, ticket_id: "t2", opener: { user_id: "ben" }, status: "?" }];
    const object = {
      ...TICKET,
      ticket_id: "t3",
      assignee: { user_id: "ben", display_name: "Ben" },
      satisfaction: null,
    };
    const found = await answering({ items: [...items, object] }).bridge.listTickets("acme");
    expect(
      found.map((ticket) => [ticket.ticketId, ticket.openerId, ticket.assignee, ticket.satisfaction]),
    ).toEqual([
      ["t1", "anna", null, 4],
      ["t3", "anna", "Ben", null],
    ]);
  });

  it("reads all pages of tickets", async () => {
    const calls: string[] = [];
    const bridge = new HttpBridge("https://bridge.test", (input) => {
      const isFirst = calls.push(input instanceof Request ? input.url : input.toString()) === 1;
      const items = [isFirst ? TICKET : { ...TICKET, ticket_id: "t2" }];
      return Promise.resolve(Response.json({ items, next: isFirst ? "200" : null }));
    });
    expect((await bridge.listTickets("acme")).map((ticket) => ticket.ticketId)).toEqual(["t1", "t2"]);
    const path = "https://bridge.test/v1/tenants/acme/tickets?limit=200";
    expect(calls).toEqual([path, `${path}&after=200`]);
  });

  it("changes a ticket", async () => {
    const { bridge, asked } = answering({});
    await bridge.changeTicket("acme", "t1", { satisfaction: 5 });
    expect(asked[0]).toMatchObject({
      call: "PATCH https://bridge.test/v1/tenants/acme/tickets/t1",
      body: { satisfaction: 5 },
    });
  });

  it.each([
    ["as a whole sentence", 403, { error: "this tenant is not active" }, "This tenant is not active.", false],
    ["as it came", 409, { error: "It is closed!" }, "It is closed!", false],
    ["without words", 404, "<html>", "The chat server refused this (404).", false],
    ["of passing trouble", 503, { error: "PostgreSQL is away" }, /cannot be reached/, true],
    ["of haste", 429, { error: "slow" }, /cannot be reached/, true],
    ["no JSON", 200, "<html>", "The chat server gave an answer that makes no sense.", false],
  ])("tells %s", async (_name, status, answer, sentence, isPassing) => {
    const refused: unknown = await answering(answer, status)
      .bridge.searchPeople("acme", "")
      .catch((error: unknown) => error);
    if (!(refused instanceof ChatError)) throw new Error("it was not refused");
    expect(refused.isPassing).toBe(isPassing);
    expect(refused.message).toMatch(sentence);
  });

  it("takes a bridge that is not there for one that comes back", async () => {
    const bridge = new HttpBridge("https://bridge.test", () => Promise.reject(new TypeError("no network")));
    await expect(bridge.searchPeople("acme", "")).rejects.toMatchObject({ isPassing: true });
  });
});
