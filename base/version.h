#ifndef HOLDFAST_BASE_VERSION_H
#define HOLDFAST_BASE_VERSION_H

/* `holdfast --version`, and "holdfast" in an evaluation's manifest.json. */
#define HOLDFAST_VERSION "0.1.0"

#endif
