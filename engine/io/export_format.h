/* What writer and reader of exported graphs agree on. */
#ifndef MICA_ENGINE_EXPORT_FORMAT_H
#define MICA_ENGINE_EXPORT_FORMAT_H

enum { MICA__ENTRY_END, MICA__ENTRY_CONSTANT, MICA__ENTRY_OPERATION };

#endif
