// Fetches the page again and replaces what has changed: nothing flickers, and
// who reads, scrolls or marks something is not disturbed.
"use strict";
(() => {
	const period = 5000;
	const parts = "header[id], section[id], main > [id]";
	const fresh = document.getElementById("fresh");
	let good = Date.now();
	let timer;

	// Without the head, whose style is here already.
	const parse = (text) => new DOMParser().parseFromString(
	    text.slice(text.indexOf("<body>")), "text/html");

	const isBusy = (node) => {
		const s = document.getSelection();
		return s && !s.isCollapsed && s.rangeCount > 0 &&
		    s.getRangeAt(0).intersectsNode(node);
	};

	// The place in a wide table, and the focus, stay where they are.
	const replace = (old, now) => {
		const was = old.querySelector(".scroll");
		const left = was ? was.scrollLeft : 0;
		const focused = was !== null &&
		    was === document.activeElement;
		old.replaceWith(now);
		const is = now.querySelector(".scroll");
		if (is) {
			is.scrollLeft = left;
			if (focused)
				is.focus({ preventScroll: true });
		}
	};

	const update = (next) => {
		for (const now of next.querySelectorAll(parts)) {
			const old = document.getElementById(now.id);
			if (old && old.outerHTML !== now.outerHTML &&
			    !isBusy(old))
				replace(old, document.adoptNode(now));
		}
	};

	const say = () => {
		const late = Date.now() - good > 3 * period;
		fresh.className = late ? "stale" : "";
		fresh.textContent = (late ? "No answer since " : "As of ") +
		    new Date(good).toLocaleTimeString() + ".";
	};

	const refresh = async () => {
		if (!document.hidden) {
			try {
				const answer = await fetch("/", {
					cache: "no-store",
					signal: AbortSignal.timeout(2 * period),
				});
				if (answer.ok) {
					update(parse(await answer.text()));
					good = Date.now();
				}
			} catch {
				// said below
			}
			say();
		}
		clearTimeout(timer);
		timer = setTimeout(refresh, period);
	};

	document.addEventListener("visibilitychange", () => {
		if (!document.hidden) {
			clearTimeout(timer);
			refresh();
		}
	});
	say();
	timer = setTimeout(refresh, period);
})();
