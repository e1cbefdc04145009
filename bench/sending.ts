/**
 * Sends items as fast as it can, without more than two windows of them on their way: a client that publishes without ever
 * waiting fills its memory. While the bus confirms one window the next is sent, so that the line never falls silent.
 */
export async function sendInWindows(
  items: number,
  window: number,
  send: (index: number) => void,
  flush: () => Promise<void>,
): Promise<void> {
  let confirmed = Promise.resolve();
  for (let index = 0; index < items; index += 1) {
    send(index);
    if (index % window !== window - 1) continue;
    await confirmed;
    confirmed = flush();
  }
  await confirmed;
}

/** Does something for each item, with a number of them under way at once. */
export async function sendInLanes(
  items: number,
  lanes: number,
  send: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items) {
      const index = next;
      next += 1;
      await send(index);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
