/** The words of one message. */
import { Fragment, type JSX, useLayoutEffect, useRef } from "react";
import type { Message } from "../models/message";
import { words } from "../viewmodels/words";
import { sanitise } from "./sanitise";

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

export function MessageBody({ message }: { message: Message }): JSX.Element {
  if (message.isRedacted) return <p className="deleted">{words.deleted}</p>;
  if (message.kind === "file") {
    return (
      <p className="text" dir="auto">
        <span className="file-label">{words.file}</span> {message.body}
      </p>
    );
  }
  if (message.formattedBody !== null) return <FormattedBody html={message.formattedBody} />;
  return (
    <p className="text" dir="auto">
      {message.kind === "emote" && <em>{message.sender.name} </em>}
      {withLinks(message.body)}
    </p>
  );
}

/** Sanitised HTML, put in as nodes: no string of HTML is ever handed to the page. */
function FormattedBody({ html }: { html: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current?.replaceChildren(sanitise(html));
  }, [html]);
  return <div className="text formatted" dir="auto" ref={box} />;
}

/** Return `text` with its web addresses as links. */
function withLinks(text: string): JSX.Element[] {
  const parts: JSX.Element[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    parts.push(<Fragment key={`text-${end}`}>{text.slice(end, match.index)}</Fragment>);
    parts.push(
      <a key={`link-${match.index}`} href={match[0]} target="_blank" rel="noopener noreferrer nofollow">
        {match[0]}
      </a>,
    );
    end = match.index + match[0].length;
  }
  parts.push(<Fragment key={`text-${end}`}>{text.slice(end)}</Fragment>);
  return parts;
}
