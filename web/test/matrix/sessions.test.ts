import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signInAgain } from "../../src/matrix/credentials";
import { openSession } from "../../src/matrix/sessions";
import { ChatError } from "../../src/models/errors";

const ANSWER = {
  user_id: "anna",
  matrix_id: "@u_x:test",
  access_token: "syt_secret",
  device_id: "WEB1",
  homeserver_url: "https://hs.test",
  session_token: "bxs_secret",
  expires_in: 300,
  tenants: [{ tenant_id: "acme", name: "Acme", role: "member", space_id: "!s" }],
};

let server: Server;
let address: string;
let status = 200;
let answer: unknown = ANSWER;
let asked: unknown;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked = {
        path: `${request.method} ${request.url}`,
        body: JSON.parse(Buffer.concat(chunks).toString()) as unknown,
      };
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

async function refusal(givenStatus: number, givenAnswer: unknown): Promise<ChatError> {
  status = givenStatus;
  answer = givenAnswer;
  const error: unknown = await openSession(address, { token: "jwt" }).catch((reason: unknown) => reason);
  if (!(error instanceof ChatError)) throw new Error("the session was opened");
  return error;
}

describe("openSession", () => {
  it("gives the token and reads who has signed in", async () => {
    status = 200;
    answer = ANSWER;
    const session = await openSession(address, { token: "jwt" });
    expect(asked).toEqual({ path: "POST /v1/sessions", body: { token: "jwt" } });
    expect(session).toEqual({
      person: {
        userId: "anna",
        matrixId: "@u_x:test",
        tenants: [{ tenantId: "acme", name: "Acme", role: "member", spaceId: "!s" }],
      },
      accessToken: "syt_secret",
      sessionToken: "bxs_secret",
      expiresInSeconds: 300,
      deviceId: "WEB1",
      homeserverUrl: "https://hs.test",
    });
  });

  it.each([
    ["a refusal in the server's words", 403, { error: "You have no tenant." }, "You have no tenant.", false],
    ["a refused token", 401, { error: "Used before." }, "Used before.", false],
    ["a refusal without words", 400, "<html>", "Signing in to chat failed (400).", false],
    ["too many", 429, { error: "Slow down" }, "Chat cannot be reached at the moment.", true],
    [
      "trouble behind it",
      503,
      { error: "PostgreSQL is away" },
      "Chat cannot be reached at the moment.",
      true,
    ],
    ["no JSON", 200, "<html>", "The chat server gave an answer that makes no sense.", false],
    ["a list", 200, [], "The chat server gave an answer that makes no sense.", false],
    [
      "no access token",
      200,
      { ...ANSWER, access_token: 7 },
      "The chat server gave an answer that makes no sense.",
      false,
    ],
  ])("%s", async (_name, givenStatus, givenAnswer, sentence, isPassing) => {
    expect(await refusal(givenStatus, givenAnswer)).toMatchObject({ message: sentence, isPassing });
  });

  it("takes a bridge that is not there for one that comes back", async () => {
    const error: unknown = await openSession("http://127.0.0.1:1", { token: "jwt" }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ isPassing: true });
  });

  it("leaves out tenants that it cannot read", async () => {
    status = 200;
    answer = { ...ANSWER, tenants: [{ tenant_id: "x", role: "emperor" }, null, ANSWER.tenants[0]] };
    const session = await openSession(address, { token: "jwt" });
    expect(session.person.tenants.map((tenant) => tenant.tenantId)).toEqual(["acme"]);
  });
});

describe("signInAgain", () => {
  const settings = (): { baseUrl: string; getToken: () => Promise<string> } => ({
    baseUrl: address,
    getToken: () => Promise.resolve("jwt 2"),
  });

  it("asks for the same device with a new token of the host", async () => {
    status = 200;
    answer = ANSWER;
    const first = await openSession(address, { token: "jwt" });
    await signInAgain(settings(), first);
    expect(asked).toMatchObject({ body: { token: "jwt 2", device_id: "WEB1" } });
  });

  it("refuses to go on as somebody else", async () => {
    status = 200;
    answer = ANSWER;
    const first = await openSession(address, { token: "jwt" });
    answer = { ...ANSWER, matrix_id: "@u_y:test" };
    await expect(signInAgain(settings(), first)).rejects.toMatchObject({ isPassing: false });
  });

  it("waits for a host that cannot sign in right now", async () => {
    const first = { ...(await openSession(address, { token: "jwt" })) };
    const host = { baseUrl: address, getToken: () => Promise.reject(new Error("logged out")) };
    await expect(signInAgain(host, first)).rejects.toMatchObject({ isPassing: true });
  });
});
