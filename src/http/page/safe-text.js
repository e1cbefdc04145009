/*
 * Names and metadata come from whoever may register: they may hold what looks like nothing, turns text around, or looks like
 * another name. The page shows such characters by their numbers; it never makes markup of text.
 */

/** Controls, what is invisible, what reorders, what breaks lines, and every space but the ordinary one. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]/gu;
/** What follows a pictograph, and belongs to it. */
const OF_EMOJI = /^[\ufe0f\u200d]$/;
const EMOJI_BEFORE = /(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)$/u;

/**
 * The text, with what cannot be seen shown as `\u{…}`.
 *
 * @param {string} text
 * @returns {string}
 */
export function visible(text) {
  return text.replace(UNSEEN, (character, /** @type {number} */ offset) => {
    if (OF_EMOJI.test(character) && EMOJI_BEFORE.test(text.slice(Math.max(0, offset - 2), offset)))
      return character;
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}

/**
 * So much of it as a line has room for, its end too: names that differ often differ there.
 *
 * @param {string} text
 * @param {number} most
 * @returns {string}
 */
export function shortened(text, most) {
  if (text.length <= most) return text;
  const tail = Math.floor(most / 3);
  return `${text.slice(0, most - tail - 1).toWellFormed()}…${text.slice(-tail).toWellFormed()}`;
}

/**
 * The name of a node or of the node of a process, by its id: `web-1` of `web-1@0mwqi6o6xhqrpxhn5/3`.
 *
 * @param {string} id
 * @returns {string}
 */
export function nodeName(id) {
  const at = id.lastIndexOf("@");
  return at > 0 ? id.slice(0, at) : id;
}
