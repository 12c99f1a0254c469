// The only place where a text becomes HTML. The texts are rendered by the server.

const policy = window.trustedTypes?.createPolicy("postrider", { createHTML: (html) => html });

/**
 * Replaces the content of an element.
 * @param {Element} element
 * @param {string} html
 */
export function setHtml(element, html) {
  element.innerHTML = /** @type {string} */ (/** @type {unknown} */ (policy?.createHTML(html) ?? html));
}
