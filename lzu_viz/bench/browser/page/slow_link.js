/**
 * A distant kernel: each message of each WebSocket arrives 150 ms late, in both directions. Timers
 * of equal length fire in the order in which they were set, so the order of messages is kept.
 */
(() => {
  const DELAY_MS = 150;
  const delayed = new WeakSet();
  globalThis.WebSocket = class extends WebSocket {
    /**
     * @param {string | URL} url
     * @param {string | string[]} [protocols]
     */
    constructor(url, protocols) {
      super(url, protocols);
      // The first listener of all: it stops each message and dispatches a copy later.
      this.addEventListener("message", (event) => {
        if (delayed.has(event)) return;
        event.stopImmediatePropagation();
        const copy = new MessageEvent("message", { data: event.data, origin: event.origin });
        delayed.add(copy);
        setTimeout(() => this.dispatchEvent(copy), DELAY_MS);
      });
    }

    /** @param {string | BufferSource | Blob} data */
    send(data) {
      setTimeout(() => {
        if (this.readyState === WebSocket.OPEN) super.send(data);
      }, DELAY_MS);
    }
  };
})();
