// Moments that lie some seconds after now move with the clock while the page is open; the zone stays the page's.
const zone = (time) => time.textContent.replace(/^.*\d{2}:\d{2}\s*/, "");

function move() {
  for (const place of document.querySelectorAll("[data-in]")) {
    const time = place.querySelector("time");
    const moment = new Date(Date.now() + Number(place.dataset.in) * 1000);
    const words = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const parts = new Intl.DateTimeFormat("en-GB", { ...words, timeZone: document.documentElement.dataset.zone }).formatToParts(moment);
    const of = (type) => parts.find((part) => part.type === type).value;
    time.dateTime = moment.toISOString();
    time.textContent = `${of("day")} ${of("month").slice(0, 3)} ${of("year")}, ${of("hour")}:${of("minute")} ${zone(time)}`;
  }
}

if (document.documentElement.dataset.zone) setInterval(move, 15_000);
