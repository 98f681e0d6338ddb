/** The bridge's own routes for a signed-in person, behind the models' Bridge. */
import type {
  AskedRoom,
  Bridge,
  FoundPerson,
  Ticket,
  TicketChange,
  TicketStatus,
  TicketWish,
} from "../models/bridge";
import { ChatError } from "../models/errors";
import { isRecord, type JsonRecord, readArray, readRecord, readString, readText } from "./json";
import { isRole } from "./sessions";

const UNREACHABLE = "Chat cannot be reached at the moment. Try again in a moment.";
const NO_SENSE = "The chat server gave an answer that makes no sense.";
const STATUSES: readonly string[] = ["open", "waiting", "closed"] satisfies TicketStatus[];
const PEOPLE_SHOWN = 20;
const TICKETS_A_PAGE = 200;
const MOST_PAGES = 25;

export class HttpBridge implements Bridge {
  readonly #baseUrl: string;
  readonly #fetch: typeof globalThis.fetch;

  /** `fetchFn` puts the session's token into requests. */
  constructor(baseUrl: string, fetchFn: typeof globalThis.fetch) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetchFn;
  }

  async searchPeople(tenantId: string, query: string): Promise<readonly FoundPerson[]> {
    const asked = new URLSearchParams({ q: query, limit: String(PEOPLE_SHOWN) });
    const answer = await this.#call("GET", `${ofTenant(tenantId)}/people?${asked.toString()}`);
    return readArray(answer, "items").flatMap((item) => readPerson(item) ?? []);
  }

  async openDirectChat(tenantId: string, userId: string): Promise<AskedRoom> {
    const answer = await this.#call("POST", `${ofTenant(tenantId)}/dms`, { user_id: userId });
    return { tenantId, key: readKey(answer, "key") };
  }

  async openTicket(tenantId: string, wish: TicketWish): Promise<AskedRoom> {
    const answer = await this.#call("POST", `${ofTenant(tenantId)}/tickets`, wish);
    return { tenantId, key: readKey(answer, "room_key") };
  }

  async listTickets(tenantId: string): Promise<readonly Ticket[]> {
    const found: Ticket[] = [];
    let after: string | null = null;
    for (let page = 0; page < MOST_PAGES && (page === 0 || after !== null); page += 1) {
      const asked = new URLSearchParams({
        limit: String(TICKETS_A_PAGE),
        ...(after === null ? {} : { after }),
      });
      const answer = await this.#call("GET", `${ofTenant(tenantId)}/tickets?${asked.toString()}`);
      found.push(...readArray(answer, "items").flatMap((item) => readTicket(item) ?? []));
      after = readString(answer, "next");
    }
    return found;
  }

  async changeTicket(tenantId: string, ticketId: string, change: TicketChange): Promise<void> {
    await this.#call("PATCH", `${ofTenant(tenantId)}/tickets/${encodeURIComponent(ticketId)}`, change);
  }

  async #call(method: string, path: string, body?: object): Promise<JsonRecord> {
    const response = await this.#send(method, path, body);
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw refusal(response.status, answer);
    if (!isRecord(answer)) throw new ChatError(NO_SENSE, { isPassing: false });
    return answer;
  }

  async #send(method: string, path: string, body?: object): Promise<Response> {
    const headers = { Authorization: "Bearer", "Content-Type": "application/json" };
    try {
      return await this.#fetch(`${this.#baseUrl}${path}`, {
        method,
        headers,
        ...(body ? { body: JSON.stringify(body) } : {}),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
      });
    } catch {
      throw new ChatError(UNREACHABLE, { isPassing: true });
    }
  }
}

function ofTenant(tenantId: string): string {
  return `/v1/tenants/${encodeURIComponent(tenantId)}`;
}

/** The server's sentence begins small, as those of Matrix do; a person reads a whole one. */
function refusal(status: number, answer: unknown): ChatError {
  if (status === 429 || status >= 500) return new ChatError(UNREACHABLE, { isPassing: true });
  const words = isRecord(answer) ? readString(answer, "error") : null;
  if (!words) return new ChatError(`The chat server refused this (${status}).`, { isPassing: false });
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return new ChatError(/[.!?]$/.test(sentence) ? sentence : `${sentence}.`, { isPassing: false });
}

function readKey(answer: JsonRecord, name: string): string {
  const key = readString(answer, name);
  if (!key) throw new ChatError(NO_SENSE, { isPassing: false });
  return key;
}

function readPerson(item: unknown): FoundPerson | null {
  if (!isRecord(item)) return null;
  const userId = readString(item, "user_id");
  const matrixId = readString(item, "matrix_id");
  const role = readString(item, "role");
  if (!userId || !matrixId || !isRole(role)) return null;
  const name = readString(item, "display_name") ?? userId;
  return { userId, matrixId, name, avatarUrl: readText(item, "avatar_url"), role };
}

function readTicket(item: unknown): Ticket | null {
  if (!isRecord(item)) return null;
  const ticketId = readString(item, "ticket_id");
  const status = readString(item, "status");
  const number = readNumber(item, "number");
  if (!ticketId || number === null || !isStatus(status)) return null;
  return {
    ticketId,
    number,
    status,
    subject: readText(item, "subject"),
    audience: readText(item, "audience") === "bitnexus" ? "bitnexus" : "team",
    openerId: readWho(item, "opener") ?? "",
    assignee: readName(item, "assignee"),
    roomKey: readString(item, "room_key"),
    roomId: readString(item, "room_id"),
    satisfaction: readNumber(item, "satisfaction"),
  };
}

function readNumber(item: JsonRecord, name: string): number | null {
  const value = item[name];
  return typeof value === "number" ? value : null;
}

/** A person is named by an id, or by an object that has it. */
function readWho(item: JsonRecord, name: string): string | null {
  const who = item[name];
  return isRecord(who) ? readString(who, "user_id") : readString(item, name);
}

/** What a person is called: by their name where it is given. */
function readName(item: JsonRecord, name: string): string | null {
  return readString(readRecord(item, name), "display_name") ?? readWho(item, name);
}

function isStatus(status: string | null): status is TicketStatus {
  return status !== null && STATUSES.includes(status);
}
