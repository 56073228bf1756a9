for (const figure of document.querySelectorAll("figure.compare")) {
  const pair = figure.querySelector(".pair"), range = figure.querySelector("input");
  const move = () => {
    pair.style.setProperty("--cut", range.value + "%");
    range.setAttribute("aria-valuetext", range.value + " % " + range.dataset.before + ", the rest " + range.dataset.after);
  };
  const drag = (event) => {
    if (!event.buttons) return;
    const box = pair.getBoundingClientRect();
    range.value = Math.round(100 * (event.clientX - box.left) / box.width);
    move();
  };
  range.addEventListener("input", move);
  pair.addEventListener("pointerdown", drag);
  pair.addEventListener("pointermove", drag);
  move();
}
