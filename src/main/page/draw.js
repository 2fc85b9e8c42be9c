"use strict";

const paper = document.getElementById("paper");
const pen = paper.getContext("2d", { willReadFrequently: true });
const note = document.getElementById("note");
let last = null; // where the pen was; null while it is up
let holder = null; // the pointer that draws: of several fingers the first, and of a mouse its main button
let drawn = 0; // counts changes, so that an answer to an older drawing is known as such
let asking = false;

function wipe() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, paper.width, paper.height);
  drawn += 1;
  show(null);
  note.textContent = "";
}

function place(event) {
  const box = paper.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * paper.width) / box.width,
    ((event.clientY - box.top) * paper.height) / box.height,
  ];
}

function stroke(to) {
  pen.strokeStyle = "#000";
  pen.lineWidth = 20;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...to);
  pen.stroke();
  last = to;
  drawn += 1;
  ask();
}

paper.addEventListener("pointerdown", (event) => {
  if (last || event.button !== 0) return;
  holder = event.pointerId;
  paper.setPointerCapture(holder);
  last = place(event);
  stroke(last);
});
paper.addEventListener("pointermove", (event) => {
  if (last && event.pointerId === holder) for (const point of event.getCoalescedEvents?.() ?? [event]) stroke(place(point));
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  paper.addEventListener(end, (event) => {
    if (event.pointerId === holder) last = null;
  });
}
document.getElementById("clear").addEventListener("click", wipe);

// One question at a time; whoever draws on meanwhile is answered next, with what stands there then.
async function ask() {
  if (asking) return;
  asking = true;
  let about;
  do {
    about = drawn;
    try {
      const picture = await new Promise((done) => paper.toBlob(done, "image/png"));
      const response = await fetch("api/predict?maps=true", {
        method: "POST",
        headers: { "Content-Type": "image/png" },
        body: picture,
      });
      const answer = await response.json();
      if (about === drawn || last) {
        if (response.ok) show(answer);
        note.textContent = response.ok ? "" : answer.detail;
      }
    } catch {
      note.textContent = "The server does not answer.";
    }
  } while (about !== drawn && !blank());
  asking = false;
}

function blank() {
  return pen.getImageData(0, 0, paper.width, paper.height).data.every((value) => value === 255);
}

function show(answer) {
  document.getElementById("answer").textContent = answer ? answer.class : "–";
  for (const item of document.getElementById("bars").children) {
    const share = answer ? answer.probabilities[item.dataset.name] : 0;
    item.querySelector(".bar").style.width = `${100 * share}%`;
    item.querySelector(".share").textContent = answer ? `${(100 * share).toFixed(1)}\u00a0%` : "";
  }
  document.getElementById("maps").hidden = !answer?.stages.length; // a network without convolutions has none
  const seen = document.getElementById("seen");
  if (!answer) {
    seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
    document.getElementById("stages").replaceChildren();
    return;
  }
  const channels = answer.seen[0][0].length;
  paint(seen, answer.seen[0].length, answer.seen.length, (i, channel) => {
    const pixel = answer.seen[Math.floor(i / answer.seen[0].length)][i % answer.seen[0].length];
    return pixel[channels === 3 ? channel : 0];
  });
  document.getElementById("stages").replaceChildren(...answer.stages.map(stageRow));
}

function stageRow(stage) {
  const row = element("div", "stage");
  const title = element("div", "quiet");
  const shown = stage.maps.length < stage.n_maps ? `${stage.maps.length} of ${stage.n_maps}` : stage.n_maps;
  title.textContent = `${stage.layer}: ${shown} maps of ${stage.height} × ${stage.width}`;
  const maps = element("div", "maps");
  for (const coded of stage.maps) {
    const bytes = atob(coded);
    const canvas = element("canvas", "pixels");
    paint(canvas, stage.width, stage.height, (i) => bytes.charCodeAt(i));
    maps.append(canvas);
  }
  row.append(title, maps);
  return row;
}

function paint(canvas, width, height, value) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * i + channel] = value(i, channel);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function element(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

async function begin() {
  const health = await (await fetch("health")).json();
  document.getElementById("model").textContent =
    `${health.model}. Pictures are prepared with --as ${health.preparation}.`;
  for (const name of health.classes) {
    const item = element("li", "");
    item.dataset.name = name;
    const label = element("span", "");
    label.textContent = name;
    const track = element("div", "track");
    track.append(element("div", "bar"));
    item.append(label, track, element("span", "share"));
    document.getElementById("bars").append(item);
  }
}

wipe();
begin();
