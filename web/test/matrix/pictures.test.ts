import { afterEach, describe, expect, it } from "vitest";
import { Pictures } from "../../src/matrix/pictures";

const made: string[] = [];

function pictures(type: string, status = 200): { asked: string[]; pictures: Pictures } {
  const asked: string[] = [];
  const fetchFn: typeof globalThis.fetch = (input) => {
    asked.push(input instanceof Request ? input.url : input.toString());
    return Promise.resolve(new Response("x", { status, headers: { "Content-Type": type } }));
  };
  return { asked, pictures: new Pictures("https://hs.test", fetchFn) };
}

async function load(from: Pictures, avatarUrl: string): Promise<string | null> {
  const address = await from.load(avatarUrl);
  if (address !== null) made.push(address);
  return address;
}

afterEach(() => {
  for (const address of made.splice(0)) URL.revokeObjectURL(address);
});

describe("Pictures", () => {
  it("loads a thumbnail as a signed-in person does, once", async () => {
    const { asked, pictures: found } = pictures("image/png");
    const [first, second] = await Promise.all([load(found, "mxc://hs/abc"), load(found, "mxc://hs/abc")]);
    expect(first).toMatch(/^blob:/);
    expect(second).toBe(first);
    expect(asked).toEqual([
      "https://hs.test/_matrix/client/v1/media/thumbnail/hs/abc?width=96&height=96&method=crop",
    ]);
  });

  it.each(["", "https://evil.test/x.png", "mxc://hs/../../x", "mxc://hs/a?b"])(
    "loads nothing from %j",
    async (avatarUrl) => {
      const { asked, pictures: found } = pictures("image/png");
      expect([await load(found, avatarUrl), asked]).toEqual([null, []]);
    },
  );

  it("shows nothing that is no picture, and nothing that is refused", async () => {
    expect(await load(pictures("text/html").pictures, "mxc://hs/abc")).toBeNull();
    expect(await load(pictures("image/png", 404).pictures, "mxc://hs/abc")).toBeNull();
  });
});
