// A receiver with configurable responses that records its calls.

import http from "node:http";

export const PATIENCE = 60_000;

export class Receiver {
  #boxes = new Map();
  #status = new Map();
  #server = http.createServer((request, response) => this.#take(request, response));

  async open() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  url(name) {
    return `http://127.0.0.1:${this.#server.address().port}/${name}`;
  }

  /** From now on, `name` is answered with this status. */
  answer(name, status) {
    this.#status.set(name, status);
  }

  /** The next arrival at `name`; waits for it. */
  next(name) {
    const box = this.#box(name);
    if (box.arrivals.length > 0) return Promise.resolve(box.arrivals.shift());
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`nothing arrived at /${name}`));
      const timer = setTimeout(late, PATIENCE);
      box.waiting.push((arrival) => {
        clearTimeout(timer);
        resolve(arrival);
      });
    });
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #box(name) {
    if (!this.#boxes.has(name)) this.#boxes.set(name, { arrivals: [], waiting: [] });
    return this.#boxes.get(name);
  }

  async #take(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const name = request.url.slice(1);
    const arrival = { headers: request.headers, body: Buffer.concat(parts) };
    const box = this.#box(name);
    const waiting = box.waiting.shift();
    if (waiting) waiting(arrival);
    else box.arrivals.push(arrival);
    response.writeHead(this.#status.get(name) ?? 200, { "x-receiver": "javascript" });
    response.end("taken");
  }
}
