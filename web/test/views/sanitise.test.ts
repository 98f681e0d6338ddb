// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { sanitise } from "../../src/views/sanitise";

function clean(html: string): string {
  const box = document.createElement("div");
  box.append(sanitise(html));
  return box.innerHTML; // eslint-disable-line no-restricted-properties -- read, not written
}

describe("sanitise", () => {
  it.each([
    ["script", "<script>alert(1)</script>", ""],
    ["handler", '<b onclick="alert(1)">x</b>', "<b>x</b>"],
    ["image", '<img src=x onerror="alert(1)">', ""],
    ["image of Matrix", '<img src="mxc://test/abc">', ""],
    ["svg", '<svg onload="alert(1)"><circle/></svg>', ""],
    ["svg in math", "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", ""],
    ["frame", '<iframe src="https://evil.test"></iframe>', ""],
    ["frame document", '<iframe srcdoc="<script>alert(1)</script>"></iframe>', ""],
    ["object", '<object data="x"></object>', ""],
    ["form", '<form action="https://evil.test"><input name=a><button>go</button></form>', "go"],
    ["style element", "<style>*{background:url(https://evil.test)}</style>", ""],
    ["style attribute", '<p style="background:url(https://evil.test)">x</p>', "<p>x</p>"],
    ["colours", '<span data-mx-bg-color="#000000" data-mx-color="#000000">x</span>', "<span>x</span>"],
    ["script address", '<a href="javascript:alert(1)">x</a>', "<a>x</a>"],
    ["script address in disguise", '<a href="java&#10;script:alert(1)">x</a>', "<a>x</a>"],
    ["data address", '<a href="data:text/html,<script>alert(1)</script>">x</a>', "<a>x</a>"],
    ["vbscript address", '<a href="vbscript:x">x</a>', "<a>x</a>"],
    ["relative address", '<a href="//evil.test">x</a>', "<a>x</a>"],
    ["link that names itself", '<a name="body" id="body">x</a>', "<a>x</a>"],
    ["class of ours", '<b class="failure">x</b>', "<b>x</b>"],
    ["template", "<template><script>alert(1)</script></template>", ""],
    ["custom element", '<bitnexus-chat base-url="https://evil.test"></bitnexus-chat>', ""],
    ["comment", "<!--<img src=x onerror=alert(1)>-->x", "x"],
    ["slot", '<slot name="x">x</slot>', "x"],
    ["media", '<video src="https://evil.test" autoplay></video><audio src="x"></audio>', ""],
    ["page refresh", '<meta http-equiv="refresh" content="0;url=https://evil.test">', ""],
    ["a reply's copy", "<mx-reply><blockquote>first</blockquote></mx-reply>answer", "answer"],
  ])("takes out: %s", (_name, html, expected) => {
    expect(clean(html)).toBe(expected);
  });

  it.each([
    ["<p>a <strong>b</strong> <em>c</em> <del>d</del> <u>e</u></p>"],
    ['<ol start="3"><li>x</li></ol>'],
    ["<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>"],
    ['<pre><code class="language-c++">x</code></pre>'],
    ["<details><summary>a</summary>b</details>"],
    ["<blockquote>a</blockquote><hr>"],
  ])("leaves as it is: %s", (html) => {
    expect(clean(html)).toBe(html);
  });

  it("makes links safe to follow", () => {
    expect(clean('<a href="https://example.com" target="_top">x</a>')).toBe(
      '<a href="https://example.com" target="_blank" rel="noopener noreferrer nofollow">x</a>',
    );
  });

  it("shows a link to a person as a mention, without a way out", () => {
    expect(clean('<a href="https://matrix.to/#/@u_ann:test">Ann</a>')).toBe('<a class="mention">Ann</a>');
  });

  it("keeps no class on code but its language", () => {
    expect(clean('<code class="language-js evil">x</code>')).toBe("<code>x</code>");
  });
});
