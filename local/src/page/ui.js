// The libraries, in one place: everything else imports them from here.
import { h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { render };
export { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/hooks.js";

// What stands in ${…} becomes text or a value of an attribute, never markup: recorded content cannot become code.
export const html = htm.bind(h);
