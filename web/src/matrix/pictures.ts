/** Loads pictures of people: Synapse gives media to those who are signed in, which an `<img>` alone is not. */

const ADDRESS = /^mxc:\/\/([^/?#]+)\/([\w-]+)$/;
const SIZE_PX = 96;

export class Pictures {
  readonly #homeserverUrl: string;
  readonly #fetch: typeof globalThis.fetch;
  readonly #loaded = new Map<string, Promise<string | null>>();

  /** `fetchFn` puts the access token into requests. */
  constructor(homeserverUrl: string, fetchFn: typeof globalThis.fetch) {
    this.#homeserverUrl = homeserverUrl;
    this.#fetch = fetchFn;
  }

  /** Return an address that the page can show, the same for the same picture; null when there is none to be had. */
  load(avatarUrl: string): Promise<string | null> {
    const known = this.#loaded.get(avatarUrl);
    if (known) return known;
    const loading = this.#load(avatarUrl).catch(() => null);
    this.#loaded.set(avatarUrl, loading);
    return loading;
  }

  /** Let go of the pictures' memory. */
  forget(): void {
    for (const loading of this.#loaded.values()) {
      void loading.then((address) => {
        if (address !== null) URL.revokeObjectURL(address);
      });
    }
    this.#loaded.clear();
  }

  async #load(avatarUrl: string): Promise<string | null> {
    const [, serverName, mediaId] = ADDRESS.exec(avatarUrl) ?? [];
    if (!serverName || !mediaId) return null;
    const path = `/_matrix/client/v1/media/thumbnail/${serverName}/${mediaId}`;
    const response = await this.#fetch(
      `${this.#homeserverUrl}${path}?width=${SIZE_PX}&height=${SIZE_PX}&method=crop`,
      { headers: { Authorization: "Bearer" } },
    );
    const picture = response.ok ? await response.blob() : null;
    return picture?.type.startsWith("image/") ? URL.createObjectURL(picture) : null;
  }
}
