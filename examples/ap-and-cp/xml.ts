/** A piece of XML that is well-formed already. */
export interface Markup {
  readonly xml: string;
}

export type Attributes = Readonly<Record<string, string | number>>;

/** An element; strings among its children are text. Whatever stands in attributes and text, it stays there. */
export function element(
  name: string,
  attributes: Attributes,
  ...children: readonly (Markup | string)[]
): Markup {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(plain(value))}"`);
  const inside = children.map((child) => (typeof child === "string" ? escaped(child) : child.xml));
  return {
    xml: `<${name}${written.join("")}${inside.length === 0 ? "/>" : `>${inside.join("")}</${name}>`}`,
  };
}

/** A tenth of a pixel is as fine as anybody sees. */
function plain(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 10) / 10) : value;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** XML has no way to write most control characters, nor half a surrogate pair: they are shown as unknown. */
const UNWRITABLE = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

function escaped(text: string): string {
  return text.replace(UNWRITABLE, "\uFFFD").replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
