/**
 * The `<bitnexus-chat>` element: what a host application loads.
 *
 *     <script type="module" src="https://chat.example.com/chat/bitnexus-chat.js"></script>
 *     <bitnexus-chat base-url="https://chat.example.com" tenant="acme" theme="auto"></bitnexus-chat>
 *
 * The host gives `element.getToken = async () => "<a fresh JWT of the person>"`; the chat opens when the element is
 * in the page and has it. This file stays small: what it draws with and what speaks Matrix load beside each other.
 */
import type { Connect } from "./models/connection";
import { ChatViewModel } from "./viewmodels/chat";

export type GetToken = () => Promise<string>;

const views = (): Promise<typeof import("./views/mount")> => import("./views/mount");
const matrix = (): Promise<typeof import("./matrix/connection")> => import("./matrix/connection");

// begin to load before an element asks; a failure shows when it does
void views().catch(() => undefined);
void matrix().catch(() => undefined);

const connect: Connect = async (settings) => (await matrix()).connect(settings);

export class BitnexusChat extends HTMLElement {
  static readonly observedAttributes = ["base-url", "tenant"];
  readonly #shadow = this.attachShadow({ mode: "open" });
  #getToken: GetToken | null = null;
  #close: (() => void) | null = null;
  #isStartDue = false;

  /** Returns a fresh token (JWT) of the host's signed-in person; called at the start and when a session has ended. */
  get getToken(): GetToken | null {
    return this.#getToken;
  }

  set getToken(getToken: GetToken | null) {
    this.#getToken = getToken;
    this.#startAnew();
  }

  connectedCallback(): void {
    this.#adoptEarlyProperty();
    this.#startAnew();
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
    if (before !== after) this.#startAnew();
  }

  /** A host may have set the property before this class was there to see it. */
  #adoptEarlyProperty(): void {
    if (!Object.hasOwn(this, "getToken")) return;
    const early = this.getToken;
    Reflect.deleteProperty(this, "getToken");
    this.getToken = early;
  }

  /** Start once for all that the host sets in one go. */
  #startAnew(): void {
    if (this.#isStartDue) return;
    this.#isStartDue = true;
    queueMicrotask(() => {
      this.#isStartDue = false;
      this.#stop();
      if (this.isConnected) this.#start();
    });
  }

  #start(): void {
    const getToken = this.#getToken;
    const baseUrl = this.getAttribute("base-url")?.replace(/\/+$/, "");
    if (!getToken || baseUrl === undefined) return;
    const settings = { baseUrl, getToken };
    const chat = new ChatViewModel({ connect, settings, tenantId: this.getAttribute("tenant") });
    let unmount: (() => void) | null = null;
    let isClosed = false;
    void views().then(({ mount }) => {
      if (!isClosed) unmount = mount(this.#shadow, chat);
    });
    void chat.open();
    this.#close = (): void => {
      isClosed = true;
      chat.close();
      unmount?.();
    };
  }

  #stop(): void {
    this.#close?.();
    this.#close = null;
  }
}

if (!customElements.get("bitnexus-chat")) customElements.define("bitnexus-chat", BitnexusChat);

declare global {
  interface HTMLElementTagNameMap {
    "bitnexus-chat": BitnexusChat;
  }
}
