/** FNV-1a over UTF-16 code units, then a finisher (murmur3's): spreads short, similar strings well. */
export function hashText(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return finish(hash);
}

/** Mixes a number of up to 53 bits into 32. */
export function hashNumber(value: number): number {
  return finish((value >>> 0) ^ Math.imul((value / 0x1_0000_0000) >>> 0, 0x9e3779b1));
}

/**
 * A number of 53 bits that these bytes come to, going on from another one (cyrb53, public domain, by bryc): what a chain over many
 * messages is made of. Tells accidents apart, not attacks.
 */
export function digestBytes(data: Uint8Array, start: number): number {
  let left = 0xdeadbeef ^ start;
  let right = 0x41c6ce57 ^ (start / 0x1_0000_0000);
  // Counted, for that takes half the time of going over the bytes.
  for (let index = 0; index < data.length; index += 1) {
    const byte = data[index] ?? 0;
    left = Math.imul(left ^ byte, 0x9e3779b1);
    right = Math.imul(right ^ byte, 0x5f356495);
  }
  left = Math.imul(left ^ (left >>> 16), 0x85ebca6b) ^ Math.imul(right ^ (right >>> 13), 0xc2b2ae35);
  right = Math.imul(right ^ (right >>> 16), 0x85ebca6b) ^ Math.imul(left ^ (left >>> 13), 0xc2b2ae35);
  return (right & 0x1f_ffff) * 0x1_0000_0000 + (left >>> 0);
}

function finish(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How strongly `candidate` draws `key` (rendezvous hashing, Thaler and Ravishankar 1996): the highest weight owns the key,
 * and when a candidate comes or goes only the keys it owns move.
 */
export function rendezvousWeight(keyHash: number, candidateHash: number): number {
  return finish(keyHash ^ Math.imul(candidateHash, 0x9e3779b1));
}
