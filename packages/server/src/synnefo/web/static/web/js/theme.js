// Runs before the page is drawn, so that the chosen theme never flashes in late.
const chosenTheme = localStorage.getItem("theme");
if (chosenTheme) document.documentElement.dataset.theme = chosenTheme;
