import { createContext, useContext, useEffect, useState } from "react";

/** Returns an address that the page can show for an `mxc://` one. */
export type LoadPicture = (avatarUrl: string) => Promise<string | null>;

export const PicturesContext = createContext<LoadPicture>(() => Promise.resolve(null));

/** Return the address of a picture once it is there; null before, and when there is none. */
export function usePicture(avatarUrl: string): string | null {
  const load = useContext(PicturesContext);
  const [loaded, setLoaded] = useState<{ avatarUrl: string; address: string | null } | null>(null);
  useEffect(() => {
    if (avatarUrl === "") return undefined;
    let isWanted = true;
    void load(avatarUrl).then((address) => {
      if (isWanted) setLoaded({ avatarUrl, address });
    });
    return () => {
      isWanted = false;
    };
  }, [load, avatarUrl]);
  return loaded?.avatarUrl === avatarUrl ? loaded.address : null;
}
