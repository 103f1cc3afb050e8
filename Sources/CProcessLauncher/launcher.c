#include "CProcessLauncher.h"
