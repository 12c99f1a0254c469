// What every page does.

import { find } from "./find.js";
import { followFeed } from "./feed.js";
import { showCopyButtons } from "./copy.js";
import { follow } from "./live.js";
import { listen } from "./keys.js";
import { signIn } from "./login.js";
import { embed } from "./portal.js";
import { updateTimes } from "./time.js";

showCopyButtons();
updateTimes();
setInterval(() => updateTimes(), 10_000);
listen();
embed();
signIn();
find();
follow();
followFeed();
