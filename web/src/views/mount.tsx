/** Draws the chat into a shadow root. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import type { ChatViewModel } from "../viewmodels/chat";
import { words } from "../viewmodels/words";
import { ChatView } from "./chat-view";
import conversationStyles from "./styles/conversation.css?inline";
import dialogStyles from "./styles/dialog.css?inline";
import layoutStyles from "./styles/layout.css?inline";
import messageStyles from "./styles/message.css?inline";
import sidebarStyles from "./styles/sidebar.css?inline";
import tokenStyles from "./styles/tokens.css?inline";

const STYLES = [tokenStyles, layoutStyles, sidebarStyles, conversationStyles, messageStyles, dialogStyles];

/** Draw `chat` into `shadow`; the returned function takes everything out again. */
export function mount(shadow: ShadowRoot, chat: ChatViewModel): () => void {
  // constructed sheets need no 'unsafe-inline' in the host's content security policy
  shadow.adoptedStyleSheets = STYLES.map(sheetOf);
  const container = document.createElement("section"); // the page's own landmarks and first heading are the host's
  container.className = "frame";
  container.ariaLabel = words.chat;
  shadow.append(container);
  const root = createRoot(container);
  root.render(
    <StrictMode>
      <ChatView chat={chat} />
    </StrictMode>,
  );
  return () => {
    root.unmount();
    container.remove();
  };
}

function sheetOf(css: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  return sheet;
}
