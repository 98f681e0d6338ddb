/** `POST /v1/sessions`: a token of the host application becomes a Matrix access token. */
import { ChatError } from "../models/errors";
import type { Person, Role, Tenant } from "../models/person";
import { isRecord, type JsonRecord, readArray, readString } from "./json";

export interface Session {
  readonly person: Person;
  readonly accessToken: string;
  /** What the bridge knows the session by. */
  readonly sessionToken: string;
  /** How long the access token is good for, from now. */
  readonly expiresInSeconds: number;
  readonly deviceId: string;
  readonly homeserverUrl: string;
}

const LASTS_UNLESS_SAID_SECONDS = 300;
const UNREACHABLE = "Chat cannot be reached at the moment.";
const ROLES: readonly string[] = ["owner", "admin", "moderator", "member", "guest"] satisfies Role[];

export interface SessionRequest {
  readonly token: string;
  /** Sign in on this device again instead of a new one. */
  readonly device_id?: string;
}

/** Exchange the host's token for a session; raises ChatError, whose sentence is the server's where it gave one. */
export async function openSession(baseUrl: string, request: SessionRequest): Promise<Session> {
  const response = await post(`${baseUrl}/v1/sessions`, request);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response.status, answer);
  const session = isRecord(answer) ? readSession(answer) : null;
  if (session === null)
    throw new ChatError("The chat server gave an answer that makes no sense.", { isPassing: false });
  return session;
}

async function post(url: string, body: object): Promise<Response> {
  try {
    return await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      referrerPolicy: "no-referrer",
      cache: "no-store",
    });
  } catch {
    throw new ChatError(UNREACHABLE, { isPassing: true });
  }
}

function refusal(status: number, answer: unknown): ChatError {
  if (status === 429 || status >= 500) return new ChatError(UNREACHABLE, { isPassing: true });
  const sentence = isRecord(answer) ? readString(answer, "error") : null;
  if (status === 403)
    return new ChatError(sentence ?? "You have no access to this chat.", { isPassing: false });
  return new ChatError(sentence ?? `Signing in to chat failed (${status}).`, { isPassing: false });
}

function readSession(answer: JsonRecord): Session | null {
  const userId = readString(answer, "user_id");
  const matrixId = readString(answer, "matrix_id");
  const accessToken = readString(answer, "access_token");
  const sessionToken = readString(answer, "session_token");
  const deviceId = readString(answer, "device_id");
  const homeserverUrl = readString(answer, "homeserver_url");
  if (!userId || !matrixId || !accessToken || !sessionToken || !deviceId || !homeserverUrl) return null;
  const expiresInSeconds = readSeconds(answer);
  const tenants = readArray(answer, "tenants").flatMap((item) => readTenant(item) ?? []);
  const person = { userId, matrixId, tenants };
  return { person, accessToken, sessionToken, expiresInSeconds, deviceId, homeserverUrl };
}

function readSeconds(answer: JsonRecord): number {
  const seconds = answer["expires_in"];
  return typeof seconds === "number" && seconds > 0 ? seconds : LASTS_UNLESS_SAID_SECONDS;
}

function readTenant(item: unknown): Tenant | null {
  if (!isRecord(item)) return null;
  const tenantId = readString(item, "tenant_id");
  const role = readString(item, "role");
  const spaceId = readString(item, "space_id");
  if (!tenantId || !isRole(role)) return null;
  return { tenantId, role, name: readString(item, "name") ?? tenantId, spaceId: spaceId ?? "" };
}

export function isRole(role: string | null): role is Role {
  return role !== null && ROLES.includes(role);
}
