import { describe, expect, it } from "vitest";
import type { Message } from "../../src/models/message";
import { layOutTimeline, type TimelineItem } from "../../src/viewmodels/timeline";
import { aMessage, minutes } from "../fakes";

const DAY = 24 * 60;
const now = new Date(minutes(30));

function outline(items: readonly TimelineItem[]): string[] {
  return items.map((item) =>
    item.kind === "day"
      ? `-- ${item.label}`
      : `${item.sender.name}: ${item.messages.map((each) => each.body).join(" | ")}`,
  );
}

function layOut(...messages: Message[]): string[] {
  return outline(layOutTimeline(messages, now, { locale: "en" }));
}

describe("layOutTimeline", () => {
  it("groups what one sender wrote within five minutes of their last message", () => {
    expect(
      layOut(
        aMessage({ body: "one", sentAt: minutes(0) }),
        aMessage({ body: "two", sentAt: minutes(4) }),
        aMessage({ body: "three", sentAt: minutes(8) }),
        aMessage({ body: "late", sentAt: minutes(14) }),
      ),
    ).toEqual(["-- Today", "ann: one | two | three", "ann: late"]);
  });

  it("begins a new group for another sender, and for the same one under another name", () => {
    const renamed = aMessage({ body: "three" });
    expect(
      layOut(
        aMessage({ body: "one" }),
        aMessage({ body: "two", from: "ben" }),
        aMessage({ body: "two b", from: "ben" }),
        renamed,
        { ...renamed, body: "four", sender: { ...renamed.sender, name: "Ann of Arc" } },
      ),
    ).toEqual(["-- Today", "ann: one", "ben: two | two b", "ann: three", "Ann of Arc: four"]);
  });

  it("does not take people of one name for one person", () => {
    const ann = aMessage({ body: "one" });
    const other = aMessage({ body: "two", sender: { ...ann.sender, matrixId: "@u_other:test" } });
    expect(layOut(ann, other)).toEqual(["-- Today", "ann: one", "ann: two"]);
  });

  it("separates days and names them: date, yesterday, today; the year only when it is another", () => {
    expect(
      layOut(
        aMessage({ body: "old", sentAt: minutes(-400 * DAY) }),
        aMessage({ body: "week", sentAt: minutes(-6 * DAY) }),
        aMessage({ body: "before", sentAt: minutes(-DAY) }),
        aMessage({ body: "now", sentAt: minutes(0) }),
      ),
    ).toEqual([
      "-- Sunday, October 19, 2025",
      "ann: old",
      "-- Tuesday, November 17",
      "ann: week",
      "-- Yesterday",
      "ann: before",
      "-- Today",
      "ann: now",
    ]);
  });

  it("does not group over midnight", () => {
    expect(
      layOut(
        aMessage({ body: "late", sentAt: minutes(-12 * 60 - 1) }),
        aMessage({ body: "early", sentAt: minutes(-12 * 60 + 1) }),
      ),
    ).toEqual(["-- Yesterday", "ann: late", "-- Today", "ann: early"]);
  });

  it("keeps the keys of what is there when messages are added at the end", () => {
    const first = aMessage({ key: "a" });
    const before = layOutTimeline([first], now);
    const after = layOutTimeline([first, aMessage({ key: "b", from: "ben" })], now);
    expect(after.slice(0, before.length).map((item) => item.key)).toEqual(before.map((item) => item.key));
  });

  it("has nothing for nothing", () => {
    expect(layOut()).toEqual([]);
  });

  it("groups by the side that shows: what is on its way does not say its tenant yet, and need not", () => {
    const items = layOutTimeline(
      [
        aMessage({ key: "a", tenantId: "acme" }),
        aMessage({ key: "b", tenantId: null }),
        aMessage({ key: "c", tenantId: "initech" }),
      ],
      now,
      { sideOf: (tenantId) => (tenantId === "acme" ? null : tenantId) },
    );
    const groups = items.flatMap((item) =>
      item.kind === "group" ? [[item.key, item.side, item.messages.length]] : [],
    );
    expect(groups).toEqual([
      ["a", null, 2],
      ["c", "initech", 1],
    ]);
  });
});
