/* The C interface of mica in one include. Read the headers in this order to learn it. */
#ifndef MICA_H
#define MICA_H

#include "mica/base.h"
#include "mica/array.h"
#include "mica/ops.h"
#include "mica/index.h"
#include "mica/transforms.h"
#include "mica/stream.h"
#include "mica/memory.h"
#include "mica/export.h"
#include "mica/io.h"
#include "mica/lapack.h"

#endif
