import { describe, expect, it } from "vitest";
import { TypingNotices, typingSentence } from "../../src/viewmodels/typing";

describe("typingSentence", () => {
  it.each([
    [[], ""],
    [["Ann"], "Ann is typing…"],
    [["Ann", "Ben"], "Ann and Ben are typing…"],
    [["Ann", "Ben", "Cleo"], "Several people are typing…"],
  ])("of %j is '%s'", (names, sentence) => {
    expect(typingSentence(names)).toBe(sentence);
  });
});

describe("TypingNotices", () => {
  function notices(): { told: boolean[]; at: (ms: number) => TypingNotices } {
    const told: boolean[] = [];
    let now = 0;
    const typing = new TypingNotices(
      (isTyping) => told.push(isTyping),
      () => now,
    );
    return {
      told,
      at: (ms) => {
        now = ms;
        return typing;
      },
    };
  }

  it("tells once for many keys, and again after three seconds", () => {
    const { told, at } = notices();
    at(0).typed("h");
    at(500).typed("he");
    at(2999).typed("hel");
    expect(told).toEqual([true]);
    at(3000).typed("hell");
    expect(told).toEqual([true, true]);
  });

  it("tells the end when the text is emptied or sent, once", () => {
    const { told, at } = notices();
    at(0).typed("h");
    at(10).typed("  ");
    at(20).stopped();
    expect(told).toEqual([true, false]);
    at(30).typed("again");
    expect(told).toEqual([true, false, true]);
  });

  it("tells nothing for white space", () => {
    const { told, at } = notices();
    at(0).typed(" \n");
    expect(told).toEqual([]);
  });
});
