# libmica.so, its headers, the pkg-config file and the CMake package.
include(CMakePackageConfigHelpers)

add_library(mica SHARED ${MICA_OBJECTS})
target_link_libraries(mica PRIVATE mica_flags)
target_include_directories(mica INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
target_link_options(mica PRIVATE -Wl,-Bsymbolic -Wl,--no-undefined)
set_target_properties(mica PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

install(TARGETS mica EXPORT mica_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY include/mica DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
    FILES_MATCHING PATTERN "*.h")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mica)
install(EXPORT mica_targets NAMESPACE mica:: FILE micaConfig.cmake DESTINATION ${package_folder} COMPONENT library)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/micaConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/micaConfigVersion.cmake DESTINATION ${package_folder} COMPONENT library)

file(RELATIVE_PATH MICA_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/mica.pc.in ${PROJECT_BINARY_DIR}/mica.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mica.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
