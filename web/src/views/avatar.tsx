/** A face for everybody: initials on a colour of their own, a sign for bots. */
import type { JSX } from "react";
import type { Sender } from "../models/message";
import { AppIcon, AssistantIcon } from "./icons";

const HUES = 8;

export function Avatar({ sender }: { sender: Sender }): JSX.Element {
  if (sender.kind === "ai") {
    return (
      <span className="avatar avatar-ai" aria-hidden="true">
        <AssistantIcon />
      </span>
    );
  }
  if (sender.kind === "app") {
    return (
      <span className="avatar avatar-app" aria-hidden="true">
        <AppIcon />
      </span>
    );
  }
  return <Initials name={sender.name} seed={sender.matrixId} />;
}

export function Initials({ name, seed }: { name: string; seed: string }): JSX.Element {
  return (
    <span className={`avatar hue-${hueOf(seed)}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}

function initialsOf(name: string): string {
  const parts = name.split(/\s+/).filter((part) => /^\p{L}|^\p{N}/u.test(part));
  const letters = [parts[0], parts.length > 1 ? parts.at(-1) : undefined].map(
    (part) => Array.from(part ?? "")[0] ?? "",
  );
  return letters.join("").toLocaleUpperCase() || "?";
}

function hueOf(seed: string): number {
  let sum = 0;
  for (const character of seed) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}
