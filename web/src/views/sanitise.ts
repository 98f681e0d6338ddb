/** Makes the HTML of a message harmless: the specification's list of tags, less those that load or paint things. */
import createDOMPurify, { type Config } from "dompurify";

const TAGS = [
  ...[
    "a",
    "b",
    "blockquote",
    "br",
    "caption",
    "code",
    "del",
    "details",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
  ],
  ...[
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
  ],
  ...["thead", "tr", "u", "ul"],
];

const RULES: Config & { RETURN_DOM_FRAGMENT: true } = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "class", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // a reply's copy of what it answers; what is inside must not stay behind as text
  FORBID_CONTENTS: [
    "mx-reply",
    "script",
    "style",
    "template",
    "noscript",
    "iframe",
    "object",
    "svg",
    "math",
    "title",
  ],
  RETURN_DOM_FRAGMENT: true,
};

const PERSON_LINK = /^https:\/\/matrix\.to\/#\/(?:@|%40)/i;

// an instance of our own: hooks of the host application's DOMPurify do not reach in here, nor ours out
const purify = createDOMPurify(window);

purify.addHook("uponSanitizeAttribute", (element, data) => {
  if (data.attrName === "class") {
    data.keepAttr = element.tagName === "CODE" && /^language-[\w+#-]+$/.test(data.attrValue);
  }
});

purify.addHook("afterSanitizeAttributes", (element) => {
  if (element.tagName !== "A") return;
  const address = element.getAttribute("href");
  if (address !== null && PERSON_LINK.test(address)) {
    element.removeAttribute("href");
    element.className = "mention";
  } else if (address !== null) {
    element.setAttribute("target", "_blank");
    element.setAttribute("rel", "noopener noreferrer nofollow");
  }
});

/** Return the harmless part of `html` as nodes. */
export function sanitise(html: string): DocumentFragment {
  return purify.sanitize(html, RULES);
}
