// What every page does.

import { showCopyButtons } from "./copy.js";
import { follow } from "./live.js";
import { listen } from "./keys.js";
import { signIn } from "./login.js";
import { updateTimes } from "./time.js";

showCopyButtons();
updateTimes();
setInterval(() => updateTimes(), 10_000);
listen();
signIn();
follow();
