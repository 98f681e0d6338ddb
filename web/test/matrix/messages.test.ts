import "../../src/matrix/quiet-logger";
import { EventStatus, MatrixEvent } from "matrix-js-sdk/lib/models/event.js";
import type { MatrixClient } from "matrix-js-sdk/lib/client.js";
import { Direction } from "matrix-js-sdk/lib/models/event-timeline.js";
import { Room } from "matrix-js-sdk/lib/models/room.js";
import { describe, expect, it } from "vitest";
import { isMessage, readMessage, senderKind } from "../../src/matrix/messages";
import { readRoom } from "../../src/matrix/rooms";

const ME = "@u_me:test";
const ANN = "@u_ann:test";
const HUB = "@bitnexus_nexushub:test";

let count = 0;

function event(
  content: object,
  given: { sender?: string; type?: string; state_key?: string } = {},
): MatrixEvent {
  count += 1;
  const { sender = ANN, type = "m.room.message", ...rest } = given;
  return new MatrixEvent({
    event_id: `$${count}`,
    room_id: "!r",
    sender,
    type,
    origin_server_ts: 1000 + count,
    content: { ...content },
    ...rest,
  });
}

function member(matrixId: string, displayname: string): MatrixEvent {
  return event(
    { membership: "join", displayname },
    { sender: matrixId, type: "m.room.member", state_key: matrixId },
  );
}

function room(...state: MatrixEvent[]): Room {
  const client = { supportsThreads: () => false } as unknown as MatrixClient;
  const made = new Room("!r", client, ME);
  made
    .getLiveTimeline()
    .getState(Direction.Forward)
    ?.setStateEvents([member(ANN, "Ann"), member(HUB, "NexusHub"), ...state]);
  return made;
}

const read = (given: MatrixEvent, inRoom = room()): ReturnType<typeof readMessage> =>
  readMessage(given, inRoom, "key");

describe("the tenant that a message speaks for", () => {
  it("is what the server wrote into it", () => {
    expect(read(event({ body: "hi", "com.bitnexus.tenant_id": "globex" })).tenantId).toBe("globex");
    expect(read(event({ body: "hi", "com.bitnexus.tenant_id": 7 })).tenantId).toBeNull();
  });
});

describe("isMessage", () => {
  it.each([
    ["a message", event({ msgtype: "m.text", body: "hi" }), true],
    ["an edit", event({ body: "* hi", "m.relates_to": { rel_type: "m.replace", event_id: "$0" } }), false],
    ["a reply", event({ body: "hi", "m.relates_to": { "m.in_reply_to": { event_id: "$0" } } }), true],
    ["a reaction", event({}, { type: "m.reaction" }), false],
    ["a member", member(ANN, "Ann"), false],
    ["state that pretends", event({ body: "hi" }, { state_key: "" }), false],
  ])("%s", (_name, given, expected) => {
    expect(isMessage(given)).toBe(expected);
  });
});

describe("senderKind", () => {
  it.each([
    [HUB, "ai"],
    ["@bitnexus_relay:test", "app"],
    ["@bitnexus:test", "app"],
    [ANN, "person"],
    ["@bitnexusx:test", "person"],
    ["@u_bitnexus_nexushub:test", "person"],
  ])("%s is %s", (matrixId, kind) => {
    expect(senderKind(matrixId)).toBe(kind);
  });
});

describe("readMessage", () => {
  it("reads text with its sender and time", () => {
    const given = event({ msgtype: "m.text", body: "hi" });
    expect(read(given)).toMatchObject({
      key: "key",
      body: "hi",
      kind: "text",
      formattedBody: null,
      sentAt: given.getTs(),
      sender: { matrixId: ANN, name: "Ann", kind: "person", isMe: false },
      state: { kind: "sent" },
    });
    expect(read(event({ body: "hi" }, { sender: ME })).sender.isMe).toBe(true);
  });

  it("tells people of one name apart by their ids, and never a bot", () => {
    const crowded = room(member("@u_other:test", "Ann"), member("@u_third:test", "NexusHub"));
    expect(read(event({ body: "x" }), crowded).sender.name).toBe("Ann (@u_ann:test)");
    expect(read(event({ body: "x" }, { sender: HUB }), crowded).sender.name).toBe("NexusHub");
    expect(read(event({ body: "x" }, { sender: "@u_third:test" }), crowded).sender).toMatchObject({
      name: "NexusHub (@u_third:test)",
      kind: "person",
    });
  });

  it("takes HTML only where the format says so", () => {
    expect(read(event({ body: "x", formatted_body: "<b>x</b>" })).formattedBody).toBeNull();
    const html = { body: "x", format: "org.matrix.custom.html", formatted_body: "<b>x</b>" };
    expect(read(event(html)).formattedBody).toBe("<b>x</b>");
  });

  it("survives content of the wrong types", () => {
    const given = event({
      msgtype: 7,
      body: ["x"],
      format: {},
      formatted_body: 3,
      "com.bitnexus.ai": "streaming",
    });
    expect(read(given)).toMatchObject({ kind: "text", body: "", formattedBody: null, isLive: false });
  });

  it("shows an edit's words, and calls a person's message edited but not a growing answer", () => {
    const edit = (body: string): MatrixEvent =>
      event({ body: `* ${body}`, "m.new_content": { msgtype: "m.text", body } });
    const mine = event({ msgtype: "m.text", body: "one" });
    mine.makeReplaced(edit("two"));
    expect(read(mine)).toMatchObject({ body: "two", isEdited: true });
    const answer = event({ msgtype: "m.text", body: "one", "org.matrix.msc4357.live": {} }, { sender: HUB });
    expect(read(answer)).toMatchObject({ isLive: true });
    answer.makeReplaced(edit("one two"));
    expect(read(answer)).toMatchObject({ body: "one two", isEdited: false, isLive: false });
  });

  it("takes a streaming answer for live by its state as well", () => {
    expect(
      read(event({ body: "x", "com.bitnexus.ai": { state: "streaming" } }, { sender: HUB })).isLive,
    ).toBe(true);
    expect(read(event({ body: "x", "com.bitnexus.ai": { state: "done" } }, { sender: HUB })).isLive).toBe(
      false,
    );
  });

  it("keeps nothing of what was redacted", () => {
    const given = event({
      msgtype: "m.text",
      body: "secret",
      format: "org.matrix.custom.html",
      formatted_body: "secret",
    });
    const inRoom = room();
    given.makeRedacted(event({}, { type: "m.room.redaction" }), inRoom);
    const message = read(given, inRoom);
    expect(message).toMatchObject({ isRedacted: true, body: "", formattedBody: null });
    expect(JSON.stringify(message)).not.toContain("secret");
  });

  it("leaves out a reply's copy of what it answers, in replies only", () => {
    const body = "> <@u_ann:test> first\n> second\n\nanswer";
    expect(read(event({ body, "m.relates_to": { "m.in_reply_to": { event_id: "$0" } } })).body).toBe(
      "answer",
    );
    expect(read(event({ body })).body).toBe(body);
  });

  it("says how far a message of one's own has come", () => {
    const given = event({ body: "x" }, { sender: ME });
    given.setStatus(EventStatus.SENDING);
    expect(read(given).state).toEqual({ kind: "sending" });
    given.setStatus(EventStatus.NOT_SENT);
    expect(read(given).state).toEqual({ kind: "failed", sentence: "Not sent." });
    given.setStatus(EventStatus.SENT);
    expect(read(given).state).toEqual({ kind: "sent" });
  });
});

describe("readRoom", () => {
  const marker = (content: object): MatrixEvent =>
    event(content, { type: "com.bitnexus.room", state_key: "" });
  const joined = (...state: MatrixEvent[]): Room => {
    const made = room(member(ME, "Me"), ...state);
    made.updateMyMembership("join");
    return made;
  };

  it("knows a tenant's room by its marker", () => {
    const made = joined(
      marker({ tenant_id: "acme", type: "general", key: "general" }),
      event({ topic: "All of us" }, { type: "m.room.topic", state_key: "" }),
    );
    expect(readRoom(made, ME)).toMatchObject({
      tenantId: "acme",
      type: "general",
      topic: "All of us",
      unread: 0,
      typing: [],
    });
  });

  it.each([
    ["no marker", []],
    ["the space itself", [marker({ tenant_id: "acme", type: "space" })]],
    ["a marker of the wrong types", [marker({ tenant_id: 7, type: ["general"] })]],
  ])("does not list a room with %s", (_name, state) => {
    expect(readRoom(joined(...state), ME)).toBeNull();
  });

  it("does not list a room that one is only invited to", () => {
    const made = joined(marker({ tenant_id: "acme", type: "general" }));
    made.updateMyMembership("invite");
    expect(readRoom(made, ME)).toBeNull();
  });

  it("says where one may not write", () => {
    const levels = event(
      { events_default: 50, users_default: 0 },
      { type: "m.room.power_levels", state_key: "" },
    );
    const made = joined(marker({ tenant_id: "acme", type: "announcement" }), levels);
    expect(readRoom(made, ME)?.mayWrite).toBe(false);
    expect(readRoom(joined(marker({ tenant_id: "acme", type: "general" })), ME)?.mayWrite).toBe(true);
  });

  it("calls a direct chat after the other person, there or gone, and no other room", () => {
    const chat = marker({ tenant_id: "acme", type: "dm", key: "dm_1" });
    const name = event({ name: "a name of the room's own" }, { type: "m.room.name", state_key: "" });
    const avatar = { membership: "join", displayname: "Ann", avatar_url: "mxc://hs/ann" };
    const ann = event(avatar, { sender: ANN, type: "m.room.member", state_key: ANN });
    const there = readRoom(joined(chat, name, ann), ME);
    expect(there).toMatchObject({
      name: "Ann",
      person: { matrixId: ANN, avatarUrl: "mxc://hs/ann" },
      key: "dm_1",
    });
    const left = event(
      { ...avatar, membership: "leave" },
      { sender: ANN, type: "m.room.member", state_key: ANN },
    );
    expect(readRoom(joined(chat, left), ME)).toMatchObject({ name: "Ann", person: { matrixId: ANN } });
    expect(readRoom(joined(marker({ tenant_id: "acme", type: "custom" }), ann), ME)?.person).toBeNull();
  });

  it("names the partner in rooms of alliances alone", () => {
    const partner = (type: string): string | null | undefined =>
      readRoom(joined(marker({ tenant_id: "acme", type, partner_tenant_id: "globex" })), ME)?.partnerTenantId;
    expect([partner("alliance"), partner("custom")]).toEqual(["globex", null]);
  });
});
