// From an empty folder to a delivery that the receiver verifies, with the mouse or the keyboard.

import { keyboard, mouse } from "../hands.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("../hands.mjs").Hand} Hand */
/** @typedef {import("playwright-core").Page} Page */

/** @param {Walk} walk */
export default async function firstSteps(walk) {
  const { page } = await walk.page();
  const hand = walk.input.hand === "keyboard" ? keyboard(page) : mouse;
  await signIn(walk, page, hand);
  await createApplication(walk, page, hand);
  await createEndpoint(walk, page, hand);
  await send(walk, page, hand);
  await overview(page, hand);
  await walk.check(page, "overview after the first steps");
  await page.getByRole("heading", { name: "First steps" }).waitFor({ state: "hidden" });
}

/**
 * @param {Page} page
 * @param {Hand} hand
 */
async function overview(page, hand) {
  await hand.press(page.getByRole("link", { name: "Overview", exact: true }).first());
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {Hand} hand
 */
async function signIn(walk, page, hand) {
  walk.step("signing in");
  await page.goto(walk.link("/login"));
  await hand.fill(page.getByLabel("Token or API key"), walk.input.token);
  await hand.press(page.getByRole("button", { name: "Sign in", exact: true }));
  await page.getByRole("heading", { name: "First steps" }).waitFor();
  await walk.check(page, "empty overview");
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {Hand} hand
 */
async function createApplication(walk, page, hand) {
  walk.step("creating an application");
  await hand.press(page.getByRole("link", { name: "Create an application" }));
  await hand.fill(page.getByRole("textbox", { name: /^Name/ }), "Acme");
  await hand.fill(page.getByRole("textbox", { name: /^Uid/ }), "acme");
  await walk.check(page, "form of an application");
  await hand.press(page.getByRole("button", { name: "Create application" }));
  await page.getByRole("heading", { level: 1, name: "Acme" }).waitFor();
  await walk.check(page, "new application");
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {Hand} hand
 */
async function createEndpoint(walk, page, hand) {
  walk.step("creating an endpoint");
  await overview(page, hand);
  await walk.check(page, "overview after the first step");
  await hand.press(page.getByRole("link", { name: "Add an endpoint" }));
  await walk.check(page, "choice of kinds");
  await hand.press(page.getByRole("link", { name: /^Webhook/ }));
  const { good } = walk.input.receivers;
  await hand.fill(page.getByRole("textbox", { name: /^URL/ }), good ?? "");
  await walk.check(page, "form of an endpoint");
  await hand.press(page.getByRole("button", { name: "Create endpoint" }));
  await page.getByRole("heading", { level: 1, name: good }).waitFor();
  await walk.check(page, "new endpoint");
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {Hand} hand
 */
async function send(walk, page, hand) {
  walk.step("creating an event type");
  await overview(page, hand);
  await hand.press(page.getByRole("link", { name: "Send a message" }));
  await walk.check(page, "sending without event types");
  await hand.press(page.getByRole("link", { name: "Create event type" }));
  await hand.fill(page.getByRole("textbox", { name: /^Name/ }), "invoice.paid");
  await hand.fill(page.getByRole("textbox", { name: /^Description/ }), "An invoice was paid.");
  await walk.check(page, "form of an event type");
  await hand.press(page.getByRole("button", { name: /create event type/i }));
  await page.getByRole("heading", { level: 1, name: "invoice.paid" }).waitFor();

  walk.step("sending a message");
  await overview(page, hand);
  await hand.press(page.getByRole("link", { name: "Send a message" }));
  await hand.fill(page.getByRole("textbox", { name: /^Payload/ }), '{ "id": "inv_1" }');
  await walk.check(page, "form of a message");
  await hand.press(page.getByRole("button", { name: "Send invoice.paid" }));

  walk.step("seeing that it was delivered");
  await page.getByText("Delivered").filter({ visible: true }).first().waitFor();
  await walk.check(page, "delivered message");
  const { data } = await walk.api("GET", "/app/acme/endpoint");
  const { key } = await walk.api("GET", `/app/acme/endpoint/${data[0].id}/secret`);
  const [call] = await walk.calls("good", key);
  walk.assert(call?.verified, `the signature ${call?.signature} does not verify`);
}
